/** Places the buffers of a plan that lie in blocks of its own: intermediates, and small inputs and outputs. */
import type { Plan } from "../../ir/backend.ts";

/** Alignment of every buffer, and bytes a vector load may read past its end. */
const alignment = 64;

/** For each input and output of fewer than `limit` bytes its offset in a block of their own, and the size of the block. */
export function placeSmall(
  { bufferBytes, inputCount, outputCount }: Plan,
  limit: number,
): { readonly offsets: readonly number[]; readonly byteLength: number } {
  let byteLength = 0;
  const offsets = bufferBytes.slice(0, inputCount + outputCount).map((size) => {
    const offset = byteLength;
    if (size < limit) byteLength += (Math.floor(size / alignment) + 1) * alignment;
    return offset;
  });
  return { offsets, byteLength: byteLength === 0 ? 0 : byteLength + alignment };
}

/** For each buffer of the plan its offset in the block (only intermediates have one), and the size of the block. */
export function planScratch(plan: Plan): { readonly offsets: readonly number[]; readonly byteLength: number } {
  const first = plan.inputCount + plan.outputCount;
  const lives = new Map<number, { begin: number; end: number }>();
  plan.steps.forEach(({ buffers }, step) => {
    for (const buffer of buffers) {
      if (buffer < first) continue;
      const life = lives.get(buffer);
      if (life) life.end = step;
      else lives.set(buffer, { begin: step, end: step });
    }
  });
  const offsets = new Array<number>(plan.bufferBytes.length).fill(0);
  const placed: { readonly offset: number; readonly size: number; readonly begin: number; readonly end: number }[] = [];
  let byteLength = 0;
  // Largest first: small buffers then fill the gaps.
  const order = [...lives].sort(([a], [b]) => (plan.bufferBytes[b] ?? 0) - (plan.bufferBytes[a] ?? 0) || a - b);
  for (const [buffer, life] of order) {
    const size = Math.ceil(((plan.bufferBytes[buffer] ?? 0) + alignment) / alignment) * alignment;
    const alive = placed
      .filter((other) => other.begin <= life.end && life.begin <= other.end)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of alive) {
      if (offset + size <= other.offset) break;
      offset = Math.max(offset, other.offset + other.size);
    }
    offsets[buffer] = offset;
    placed.push({ offset, size, ...life });
    byteLength = Math.max(byteLength, offset + size);
  }
  return { offsets, byteLength };
}
