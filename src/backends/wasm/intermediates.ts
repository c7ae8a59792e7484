/** Places the intermediates of a plan in one block, where those that are never needed at once share memory. */
import type { Plan } from "../../ir/backend.ts";
import type { PlacedBuffers } from "./small-buffers.ts";
import { bufferAlignment } from "./small-buffers.ts";

/** For each buffer of the plan its offset in the block, where it is an intermediate, and the size of the block. */
export function placeIntermediates(plan: Plan): PlacedBuffers {
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
    const size = Math.ceil(((plan.bufferBytes[buffer] ?? 0) + bufferAlignment) / bufferAlignment) * bufferAlignment;
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
