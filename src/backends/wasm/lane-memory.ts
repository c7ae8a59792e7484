/** Loads and stores of lanes: contiguous, repeated or scattered, with the widening that each element type needs. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isHalf, kindOf } from "../../base/dtype.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { floatToHalfBits, halfBitsToFloat } from "./lane-casts.ts";
import type { LaneOps } from "./lane-ops.ts";
import { lanesPerRegister } from "./lane-ops.ts";
import type { MemoryLaneOpName } from "./opcodes.ts";

/** Four (two, of 64 bits) consecutive elements at `address + offset`. */
export function loadVector(ops: LaneOps, dtype: Dtype, address: number, offset: number): number {
  const { f } = ops;
  const sign = kindOf(dtype) === "signed" ? "s" : "u";
  switch (byteLengthOf(dtype)) {
    case 1:
      return fromBits(
        ops,
        dtype,
        ops.keep(() => {
          f.get(address).memory("v128.load32_zero", offset);
          f.op(`i16x8.extend_low_i8x16_${sign}`).op(`i32x4.extend_low_i16x8_${sign}`);
        }),
      );
    case 2:
      return fromBits(
        ops,
        dtype,
        ops.keep(() => f.get(address).memory(`v128.load16x4_${sign}`, offset)),
      );
    default:
      return ops.keep(() => f.get(address).memory("v128.load", offset));
  }
}

/** The element at `address + offset` in every lane. */
export function loadSplat(ops: LaneOps, dtype: Dtype, address: number, offset: number): number {
  const { f } = ops;
  const sign = kindOf(dtype) === "signed" ? "s" : "u";
  switch (byteLengthOf(dtype)) {
    case 1:
      return fromBits(
        ops,
        dtype,
        ops.keep(() => f.get(address).memory(`i32.load8_${sign}`, offset).op("i32x4.splat")),
      );
    case 2:
      return fromBits(
        ops,
        dtype,
        ops.keep(() => f.get(address).memory(`i32.load16_${sign}`, offset).op("i32x4.splat")),
      );
    case 4:
      return ops.keep(() => f.get(address).memory("v128.load32_splat", offset));
    default:
      return ops.keep(() => f.get(address).memory("v128.load64_splat", offset));
  }
}

/** One register of elements, lane k at the address that `pushAddress(k)` leaves, plus `offset(k)`. */
export function loadScattered(
  ops: LaneOps,
  dtype: Dtype,
  pushAddress: (lane: number) => void,
  offset: (lane: number) => number,
): number {
  const { f } = ops;
  const sign = kindOf(dtype) === "signed" ? "s" : "u";
  const bytes = byteLengthOf(dtype);
  const bits = ops.keep(() => {
    f.splatI32(0);
    const target = f.local("v128");
    for (let lane = 0; lane < lanesPerRegister(dtype); lane++) {
      if (bytes <= 2) {
        pushAddress(lane);
        f.memory(bytes === 1 ? `i32.load8_${sign}` : `i32.load16_${sign}`, offset(lane)).lane(
          "i32x4.replace_lane",
          lane,
        );
      } else {
        f.set(target);
        pushAddress(lane);
        f.get(target).memoryLane(bytes === 4 ? "v128.load32_lane" : "v128.load64_lane", offset(lane), lane);
      }
    }
    f.release(target);
  });
  return fromBits(ops, dtype, bits);
}

/** Writes a register to consecutive elements. */
export function storeVector(ops: LaneOps, dtype: Dtype, register: number, address: number, offset: number): void {
  const { f } = ops;
  const bits = toBits(ops, dtype, register);
  switch (byteLengthOf(dtype)) {
    case 1: {
      const mask = f.constantI32(0xff);
      const bytes = ops.keep(() => {
        f.get(bits, mask).op("v128.and");
        const words = f.local("v128");
        f.tee(words).get(words).op("i16x8.narrow_i32x4_u").tee(words).get(words).op("i8x16.narrow_i16x8_u");
        f.release(words);
      });
      f.get(address, bytes).memoryLane("v128.store32_lane", offset, 0);
      return;
    }
    case 2: {
      const mask = f.constantI32(0xffff);
      const words = ops.keep(() => {
        f.get(bits, mask).op("v128.and");
        const low = f.local("v128");
        f.tee(low).get(low).op("i16x8.narrow_i32x4_u");
        f.release(low);
      });
      f.get(address, words).memoryLane("v128.store64_lane", offset, 0);
      return;
    }
    default:
      f.get(address, bits).memory("v128.store", offset);
  }
}

/** Writes one lane of a register to the address that `pushAddress` leaves, plus `offset`. */
export function storeLane(
  ops: LaneOps,
  dtype: Dtype,
  register: number,
  lane: number,
  pushAddress: () => void,
  offset: number,
): void {
  const { f } = ops;
  const bits = toBits(ops, dtype, register);
  const bytes = byteLengthOf(dtype);
  const name: MemoryLaneOpName =
    bytes === 1
      ? "v128.store8_lane"
      : bytes === 2
        ? "v128.store16_lane"
        : bytes === 4
          ? "v128.store32_lane"
          : "v128.store64_lane";
  pushAddress();
  f.get(bits).memoryLane(name, offset, bytes < 4 ? (lane * 4) / bytes : lane);
}

/** Raw memory contents in 32-bit lanes as the register form of `dtype`. */
function fromBits(ops: LaneOps, dtype: Dtype, bits: number): number {
  if (dtype === "bool") return ops.compare("ne", "int32", bits, ops.constant(0, "int32"));
  return isHalf(dtype) ? halfBitsToFloat(ops, dtype, bits) : bits;
}

function toBits(ops: LaneOps, dtype: Dtype, register: number): number {
  if (dtype === "bool") return ops.keep(() => ops.f.get(register).splatI32(1).op("v128.and"));
  return isHalf(dtype) ? floatToHalfBits(ops, dtype, register) : register;
}

/** Leaves `base + index · bytes` on the stack. */
export function pushAddress(f: FunctionBuilder, base: number, index: number, dtype: Dtype): FunctionBuilder {
  const shift = Math.log2(byteLengthOf(dtype));
  f.get(base, index);
  if (shift > 0) f.i32(shift).op("i32.shl");
  return f.op("i32.add");
}
