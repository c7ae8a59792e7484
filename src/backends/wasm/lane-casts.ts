/** Conversions between element types in registers, and between registers and the bits in memory. */
import "./other-opcodes.ts";
import type { Dtype } from "../../base/dtype.ts";
import { isFloating, kindOf } from "../../base/dtype.ts";
import { wrap } from "./lane-integers.ts";
import type { LaneOps } from "./lane-ops.ts";
import { highHalf, lowHalves, registerTypeOf } from "./lane-ops.ts";
import { byLane } from "./lane-scalars.ts";

/** The lower 32 bits of each 64-bit lane of two registers. */
const lowWords = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
/**
 * Registers of `from` elements converted to `to`. A uniform value is one register in and one out; otherwise registers of
 * 64-bit lanes are twice as many as those of 32-bit lanes.
 */
export function cast(ops: LaneOps, from: Dtype, to: Dtype, registers: readonly number[], isUniform: boolean): number[] {
  const source = registerTypeOf(from);
  const target = registerTypeOf(to);
  const is64 = (type: string): boolean => type === "f64" || type === "i64";
  if (!is64(source) && !is64(target)) return registers.map((register) => cast32(ops, from, to, register));
  if (!is64(source)) return registers.flatMap((register) => widen(ops, from, to, register, isUniform));
  if (is64(target)) return registers.map((register) => cast64(ops, from, to, register));
  const narrowed: number[] = [];
  for (let k = 0; k < registers.length; k += isUniform ? 1 : 2) {
    const low = registers[k] ?? 0;
    narrowed.push(narrow(ops, from, to, low, registers[isUniform ? k : k + 1] ?? low));
  }
  return narrowed;
}

/** Masks of 64-bit lanes as masks of 32-bit lanes. */
export function narrowMasks(ops: LaneOps, registers: readonly number[], isUniform: boolean): number[] {
  const masks: number[] = [];
  for (let k = 0; k < registers.length; k += isUniform ? 1 : 2) {
    const low = registers[k] ?? 0;
    const high = registers[isUniform ? k : k + 1] ?? low;
    masks.push(ops.keep(() => ops.f.get(low, high).shuffle(...lowWords)));
  }
  return masks;
}

/** Masks of 32-bit lanes as masks of 64-bit lanes. */
export function widenMasks(ops: LaneOps, registers: readonly number[], isUniform: boolean): number[] {
  return registers.flatMap((register) => {
    const low = ops.keep(() => ops.f.get(register).op("i64x2.extend_low_i32x4_s"));
    return isUniform ? [low] : [low, ops.keep(() => ops.f.get(register).op("i64x2.extend_high_i32x4_s"))];
  });
}

function cast32(ops: LaneOps, from: Dtype, to: Dtype, x: number): number {
  const { f } = ops;
  const source = registerTypeOf(from);
  const target = registerTypeOf(to);
  if (target === "f32") {
    let value = x;
    if (source === "i32")
      value = ops.keep(() =>
        f.get(x).op(kindOf(from) === "signed" ? "f32x4.convert_i32x4_s" : "f32x4.convert_i32x4_u"),
      );
    else if (source === "mask") value = ops.keep(() => f.get(x).splatF32(1).op("v128.and"));
    return roundHalf(ops, to, value);
  }
  if (target === "mask") {
    return source === "mask" ? x : ops.compare("ne", from, x, ops.constant(0, from));
  }
  if (source === "mask") return ops.keep(() => f.get(x).splatI32(1).op("v128.and"));
  if (source === "i32") return wrap(ops, to, x);
  const isUnsigned = to === "uint32";
  const whole = ops.keep(() => f.get(x).op(isUnsigned ? "i32x4.trunc_sat_f32x4_u" : "i32x4.trunc_sat_f32x4_s"));
  return wrap(ops, to, whole);
}

function widen(ops: LaneOps, from: Dtype, to: Dtype, x: number, isUniform: boolean): number[] {
  const { f } = ops;
  const source = registerTypeOf(from);
  const target = registerTypeOf(to);
  const halves = (push: (isHigh: boolean) => void): number[] => {
    const low = ops.keep(() => push(false));
    return isUniform ? [low] : [low, ops.keep(() => push(true))];
  };
  const upper = (isHigh: boolean): void => {
    f.get(x);
    if (isHigh) f.get(x).shuffle(...highHalf);
  };
  if (source === "mask") {
    const ones = ops.keep(() => f.get(x).splatI32(1).op("v128.and"));
    return widen(ops, "int32", to, ones, isUniform);
  }
  if (target === "f64") {
    if (source === "f32") {
      return halves((isHigh) => {
        upper(isHigh);
        f.op("f64x2.promote_low_f32x4");
      });
    }
    return halves((isHigh) => {
      upper(isHigh);
      f.op(kindOf(from) === "signed" ? "f64x2.convert_low_i32x4_s" : "f64x2.convert_low_i32x4_u");
    });
  }
  if (source === "f32")
    return widen(ops, "float32", "float64", x, isUniform).map((register) => cast64(ops, "float64", to, register));
  const sign = kindOf(from) === "signed" ? "s" : "u";
  return halves((isHigh) => {
    f.get(x).op(isHigh ? `i64x2.extend_high_i32x4_${sign}` : `i64x2.extend_low_i32x4_${sign}`);
  });
}

function cast64(ops: LaneOps, from: Dtype, to: Dtype, x: number): number {
  const { f } = ops;
  if (isFloating(from) === isFloating(to)) return x;
  if (isFloating(to)) {
    const sign = kindOf(from) === "signed" ? "s" : "u";
    return byLane(f, "i64", [x], "f64", () => f.op(`f64.convert_i64_${sign}`));
  }
  const sign = kindOf(to) === "signed" ? "s" : "u";
  return byLane(f, "f64", [x], "i64", () => f.op(`i64.trunc_sat_f64_${sign}`));
}

function narrow(ops: LaneOps, from: Dtype, to: Dtype, low: number, high: number): number {
  const { f } = ops;
  const target = registerTypeOf(to);
  if (from === "float64") {
    if (target === "f32") {
      const single = ops.keep(() => {
        f.get(low)
          .op("f32x4.demote_f64x2_zero")
          .get(high)
          .op("f32x4.demote_f64x2_zero")
          .shuffle(...lowHalves);
      });
      return roundHalf(ops, to, single);
    }
    if (target === "mask") {
      const masks = [low, high].map((register) => ops.compare("ne", "float64", register, ops.constant(0, "float64")));
      return ops.keep(() => f.get(masks[0] ?? low, masks[1] ?? high).shuffle(...lowWords));
    }
    const op = to === "uint32" ? "i32x4.trunc_sat_f64x2_u_zero" : "i32x4.trunc_sat_f64x2_s_zero";
    return wrap(
      ops,
      to,
      ops.keep(() =>
        f
          .get(low)
          .op(op)
          .get(high)
          .op(op)
          .shuffle(...lowHalves),
      ),
    );
  }
  if (target === "f32") {
    const doubles = [low, high].map((register) => cast64(ops, from, "float64", register));
    return narrow(ops, "float64", to, doubles[0] ?? low, doubles[1] ?? high);
  }
  if (target === "mask") {
    const masks = [low, high].map((register) => ops.compare("ne", from, register, ops.constant(0, from)));
    return ops.keep(() => f.get(masks[0] ?? low, masks[1] ?? high).shuffle(...lowWords));
  }
  return wrap(
    ops,
    to,
    ops.keep(() => f.get(low, high).shuffle(...lowWords)),
  );
}

/** A float32 register rounded to what `dtype` can hold. */
function roundHalf(ops: LaneOps, dtype: Dtype, x: number): number {
  if (dtype !== "float16" && dtype !== "bfloat16") return x;
  return halfBitsToFloat(ops, dtype, floatToHalfBits(ops, dtype, x));
}

/** 16-bit patterns in 32-bit lanes as float32. */
export function halfBitsToFloat(ops: LaneOps, dtype: Dtype, bits: number): number {
  const { f } = ops;
  if (dtype === "bfloat16") return ops.keep(() => f.get(bits).i32(16).op("i32x4.shl"));
  // The exponent is rebiased by a multiplication, which also makes subnormals right; infinity and NaN are patched.
  const magnitude = ops.keep(() => f.get(bits).splatI32(0x7fff).op("v128.and"));
  const scaled = ops.keep(() =>
    f
      .get(magnitude)
      .i32(13)
      .op("i32x4.shl")
      .splatF32(2 ** 112)
      .op("f32x4.mul"),
  );
  const special = ops.keep(() => {
    f.get(magnitude).i32(13).op("i32x4.shl").splatI32(0x7f800000).op("v128.or");
  });
  const isSpecial = ops.keep(() => f.get(magnitude).splatI32(0x7c00).op("i32x4.ge_s"));
  const value = ops.select(isSpecial, special, scaled);
  return ops.keep(() => f.get(bits).splatI32(0x8000).op("v128.and").i32(16).op("i32x4.shl").get(value).op("v128.or"));
}

/** Float32 as 16-bit patterns in 32-bit lanes, rounded to nearest even. */
export function floatToHalfBits(ops: LaneOps, dtype: Dtype, x: number): number {
  const { f } = ops;
  if (dtype === "bfloat16") {
    const rounded = ops.keep(() => {
      f.get(x)
        .i32(16)
        .op("i32x4.shr_u")
        .splatI32(1)
        .op("v128.and")
        .splatI32(0x7fff)
        .op("i32x4.add")
        .get(x)
        .op("i32x4.add");
      f.i32(16).op("i32x4.shr_u");
    });
    const isNumber = ops.keep(() => f.get(x, x).op("f32x4.eq"));
    return ops.select(isNumber, rounded, f.constantI32(0x7fc0));
  }
  const sign = ops.keep(() => f.get(x).splatI32(-0x80000000).op("v128.and"));
  const magnitude = ops.keep(() => f.get(x, sign).op("v128.xor"));
  // Normal results: round the mantissa to 10 bits and rebias. Subnormal ones: let an addition to 0.5 do the rounding.
  const normal = ops.keep(() => {
    f.get(magnitude).i32(13).op("i32x4.shr_u").splatI32(1).op("v128.and").get(magnitude).op("i32x4.add");
    f.splatI32(0xfff - ((127 - 15) << 23))
      .op("i32x4.add")
      .i32(13)
      .op("i32x4.shr_u");
  });
  const subnormal = ops.keep(() => f.get(magnitude).splatF32(0.5).op("f32x4.add").splatF32(0.5).op("i32x4.sub"));
  const isSubnormal = ops.keep(() => f.get(magnitude).splatI32(0x38800000).op("i32x4.lt_s"));
  const finite = ops.select(isSubnormal, subnormal, normal);
  const isNan = ops.keep(() => f.get(magnitude).splatI32(0x7f800000).op("i32x4.gt_s"));
  const infinite = ops.select(isNan, f.constantI32(0x7e00), f.constantI32(0x7c00));
  const isLarge = ops.keep(() => f.get(magnitude).splatI32(0x47800000).op("i32x4.ge_s"));
  const value = ops.select(isLarge, infinite, finite);
  return ops.keep(() => f.get(sign).i32(16).op("i32x4.shr_u").get(value).op("v128.or"));
}
