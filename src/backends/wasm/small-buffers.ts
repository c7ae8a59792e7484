/** Places the small inputs and outputs of a plan in a block of their own. */
import type { Plan } from "../../ir/backend.ts";

/** Alignment of every buffer, and bytes a vector load may read past its end. */
export const bufferAlignment: number = 64;

/** For each buffer of a plan its offset in a block, and the size of that. */
export interface PlacedBuffers {
  readonly offsets: readonly number[];
  readonly byteLength: number;
}

/** For each input and output of fewer than `limit` bytes its offset in a block of their own, and the size of the block. */
export function placeSmall({ bufferBytes, inputCount, outputCount }: Plan, limit: number): PlacedBuffers {
  let byteLength = 0;
  const offsets = bufferBytes.slice(0, inputCount + outputCount).map((size) => {
    const offset = byteLength;
    if (size < limit) byteLength += (Math.floor(size / bufferAlignment) + 1) * bufferAlignment;
    return offset;
  });
  return { offsets, byteLength: byteLength === 0 ? 0 : byteLength + bufferAlignment };
}
