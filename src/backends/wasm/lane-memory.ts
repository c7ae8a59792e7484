/** Loads and stores of lanes: contiguous, repeated or scattered. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf } from "../../base/dtype.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { LaneOps } from "./lane-ops.ts";

/** Whether elements lie in memory as they lie in registers: all of 32 and 64 bits. */
function isPlain(dtype: Dtype): boolean {
  return byteLengthOf(dtype) >= 4;
}

/** Four (two, of 64 bits) consecutive elements at `address + offset`. */
export function loadVector(ops: LaneOps, dtype: Dtype, address: number, offset: number): number {
  if (!isPlain(dtype)) return ops.others.loadVector(ops, dtype, address, offset);
  return ops.keep(() => ops.f.get(address).memory("v128.load", offset));
}

/** The element at `address + offset` in every lane. */
export function loadSplat(ops: LaneOps, dtype: Dtype, address: number, offset: number): number {
  if (!isPlain(dtype)) return ops.others.loadSplat(ops, dtype, address, offset);
  return ops.keep(() => ops.f.get(address).memory(`v128.load${bitsOf(dtype)}_splat`, offset));
}

/** Writes a register to consecutive elements. */
export function storeVector(ops: LaneOps, dtype: Dtype, register: number, address: number, offset: number): void {
  if (isPlain(dtype)) ops.f.get(address, register).memory("v128.store", offset);
  else ops.others.storeVector(ops, dtype, register, address, offset);
}

/** Writes one lane of a register to the address that `pushAddress` leaves. */
export function storeLane(ops: LaneOps, dtype: Dtype, register: number, lane: number, pushAddress: () => void): void {
  if (!isPlain(dtype)) {
    ops.others.storeLane(ops, dtype, register, lane, pushAddress);
    return;
  }
  pushAddress();
  ops.f.get(register).memoryLane(`v128.store${bitsOf(dtype)}_lane`, 0, lane);
}

/** Leaves `base + index · bytes` on the stack. */
export function pushAddress(f: FunctionBuilder, base: number, index: number, dtype: Dtype): FunctionBuilder {
  const shift = Math.log2(byteLengthOf(dtype));
  f.get(base, index);
  if (shift > 0) f.i32(shift).op("i32.shl");
  return f.op("i32.add");
}

function bitsOf(dtype: Dtype): 32 | 64 {
  return byteLengthOf(dtype) === 8 ? 64 : 32;
}
