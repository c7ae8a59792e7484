/** Parts of computed arrays that lie in one piece: the same bytes, looked at without a kernel. Knows nothing of shapes. */
import type { Allocation } from "../../ir/backend.ts";
import { WasmAllocation } from "./allocation.ts";

/** Bytes from which a part is looked at: fewer are copied, which is cheap, and does not keep a large block for a few elements. */
const leastBytes = 2048;

/** A window that is collected gives nothing back: its block is freed when nobody reaches that any more. */
const nothingToFree: FinalizationRegistry<number> = /* @__PURE__ */ new FinalizationRegistry<number>(() => undefined);

/** A look at a part of a block, which stays while somebody looks. */
export class WasmWindow extends WasmAllocation {
  readonly #block: WasmAllocation;

  constructor(block: WasmAllocation, start: number, byteLength: number) {
    super(block.backend, block.arena, nothingToFree, block.offset + start, byteLength);
    block.retain();
    this.#block = block;
  }

  protected override free(): void {
    this.#block.release();
  }
}

/** `byteLength` bytes of `allocation` from `start`: a copy of few, a look at more; null if they do not lie in the CPU's memory. */
export function windowOf(allocation: Allocation, start: number, byteLength: number): Allocation | null {
  const bytes = allocation.bytes();
  if (bytes && byteLength < leastBytes) {
    const copy = allocation.backend.allocate(byteLength);
    copy.bytes()?.set(bytes.subarray(start, start + byteLength));
    return copy;
  }
  return allocation instanceof WasmAllocation ? new WasmWindow(allocation, start, byteLength) : null;
}
