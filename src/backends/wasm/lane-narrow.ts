/** Loads and stores of elements of 8 and 16 bits, which lie in 32-bit lanes of registers: small integers, bool, half floats. */
import "./other-opcodes.ts";
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isHalf, kindOf } from "../../base/dtype.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { floatToHalfBits, halfBitsToFloat } from "./lane-casts.ts";
import { wrap } from "./lane-integers.ts";
import type { LaneOps } from "./lane-ops.ts";
import { lanesPerRegister } from "./lane-ops.ts";

function signOf(dtype: Dtype): "s" | "u" {
  return kindOf(dtype) === "signed" ? "s" : "u";
}

/** Four consecutive elements at `address + offset`. */
export function loadVector(ops: LaneOps, dtype: Dtype, address: number, offset: number): number {
  const { f } = ops;
  const sign = signOf(dtype);
  const bits = ops.keep(() => {
    f.get(address);
    if (byteLengthOf(dtype) === 2) f.memory(`v128.load16x4_${sign}`, offset);
    else f.memory("v128.load32_zero", offset).op(`i16x8.extend_low_i8x16_${sign}`).op(`i32x4.extend_low_i16x8_${sign}`);
  });
  return fromBits(ops, dtype, bits);
}

/** The element at `address + offset` in every lane. */
export function loadSplat(ops: LaneOps, dtype: Dtype, address: number, offset: number): number {
  return fromBits(
    ops,
    dtype,
    ops.keep(() => pushElement(ops, dtype, () => ops.f.get(address), offset).op("i32x4.splat")),
  );
}

/** Pushes the element at the address that `pushAddress` leaves, plus `offset`, as an i32. */
function pushElement(ops: LaneOps, dtype: Dtype, pushAddress: () => void, offset: number): FunctionBuilder {
  pushAddress();
  return ops.f.memory(`i32.load${byteLengthOf(dtype) === 1 ? 8 : 16}_${signOf(dtype)}`, offset);
}

/** One register of elements of any size, lane k at the address that `pushAddress(k)` leaves, plus `offset(k)`. */
export function loadScattered(
  ops: LaneOps,
  dtype: Dtype,
  pushAddress: (lane: number) => void,
  offset: (lane: number) => number,
): number {
  const { f } = ops;
  const bytes = byteLengthOf(dtype);
  const bits = ops.keep(() => {
    f.splatI32(0);
    if (bytes < 4) {
      for (let lane = 0; lane < 4; lane++)
        pushElement(ops, dtype, () => pushAddress(lane), offset(lane)).lane("i32x4.replace_lane", lane);
      return;
    }
    const target = f.local("v128");
    for (let lane = 0; lane < lanesPerRegister(dtype); lane++) {
      f.set(target);
      pushAddress(lane);
      f.get(target).memoryLane(bytes === 8 ? "v128.load64_lane" : "v128.load32_lane", offset(lane), lane);
    }
    f.release(target);
  });
  return bytes < 4 ? fromBits(ops, dtype, bits) : bits;
}

/** Writes a register to consecutive elements. */
export function storeVector(ops: LaneOps, dtype: Dtype, register: number, address: number, offset: number): void {
  const { f } = ops;
  const isByte = byteLengthOf(dtype) === 1;
  const bits = toBits(ops, dtype, register);
  const mask = f.constantI32(isByte ? 0xff : 0xffff);
  const packed = ops.keep(() => {
    f.get(bits, mask).op("v128.and");
    const words = f.local("v128");
    f.tee(words).get(words).op("i16x8.narrow_i32x4_u");
    if (isByte) f.tee(words).get(words).op("i8x16.narrow_i16x8_u");
    f.release(words);
  });
  f.get(address, packed).memoryLane(isByte ? "v128.store32_lane" : "v128.store64_lane", offset, 0);
}

/** Writes one lane of a register to the address that `pushAddress` leaves. */
export function storeLane(ops: LaneOps, dtype: Dtype, register: number, lane: number, pushAddress: () => void): void {
  const bits = toBits(ops, dtype, register);
  const bytes = byteLengthOf(dtype);
  pushAddress();
  ops.f.get(bits).memoryLane(bytes === 1 ? "v128.store8_lane" : "v128.store16_lane", 0, (lane * 4) / bytes);
}

/** The bits of `from` elements as `to` elements of the same size; registers hold fewer than 32 bits as the number they stand for. */
export function bitcast(ops: LaneOps, from: Dtype, to: Dtype, registers: readonly number[]): readonly number[] {
  if (byteLengthOf(to) > 2) return registers;
  return registers.map((register) => {
    const bits = toBits(ops, from, register);
    return isHalf(to) ? fromBits(ops, to, bits) : wrap(ops, to, bits);
  });
}

/** Raw memory contents in 32-bit lanes as the register form of `dtype`. */
function fromBits(ops: LaneOps, dtype: Dtype, bits: number): number {
  if (dtype === "bool") return ops.compare("ne", "int32", bits, ops.constant(0, "int32"));
  return isHalf(dtype) ? halfBitsToFloat(ops, dtype, bits) : bits;
}

function toBits(ops: LaneOps, dtype: Dtype, register: number): number {
  if (dtype === "bool") return ops.op("v128.and", register, ops.f.constantI32(1));
  return isHalf(dtype) ? floatToHalfBits(ops, dtype, register) : register;
}
