/** What a block of queries sees of keys and mask, for attention and for its gradient. */
import type { MaskedAttention } from "./attention-call.ts";
import type { Mask } from "./attention-rows.ts";
import type { GemmEmitter, Push } from "./gemm-emitter.ts";
import { forUpTo } from "./gemm-loops.ts";

/** The place of a block: its first query, and how many there are. */
interface QueryRows {
  readonly row: number;
  readonly rows: number;
}

/**
 * Locals with the last key that the first query of a block sees, and the number of keys up to the last one that any of them does:
 * all keys if some query sees none.
 */
export function emitSeenKeys(
  e: GemmEmitter,
  { queries, keys, isCausal }: MaskedAttention,
  { row, rows }: QueryRows,
): { readonly bound: number; readonly limit: number } {
  const { f } = e;
  const bound = e.let(e.sum([e.get(row), 1], keys - queries));
  const limit = e.let(e.constant(keys));
  if (isCausal) {
    f.get(bound)
      .i32(0)
      .op("i32.ge_s")
      .if(() => {
        e.least(e.constant(keys), e.sum([e.get(bound), 1], [e.get(rows), 1]))();
        f.set(limit);
      });
  }
  return { bound, limit };
}

/** Pushes the address of a query's row of the mask in `slot`, or 0. */
export function pushMaskRow(e: GemmEmitter, mask: Mask | null, slot: Push, head: number, row: number): void {
  if (mask) e.sum([slot, 1], [e.batchOffset(head, mask.leading), 1], [e.get(row), mask.queryStride])();
  else e.f.i32(0);
}

/** Runs `body` for each chunk of keys before `limit`, with locals of its first key and of its length. */
export function emitKeyChunks(
  e: GemmEmitter,
  limit: number,
  chunk: number,
  body: (key: number, count: number) => void,
): void {
  const { f } = e;
  const key = e.let(e.constant(0));
  const count = f.local("i32");
  forUpTo(f, key, limit, chunk, () => {
    e.least(e.constant(chunk), () => f.get(limit, key).op("i32.sub"))();
    f.set(count);
    body(key, count);
  });
  f.release(key);
  f.release(count);
}
