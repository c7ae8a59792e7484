/**
 * Elementwise instructions on registers of four 32-bit or two 64-bit lanes, by element type: those of floating-point
 * numbers here, the others in a part. Knows nothing of loops and memory.
 */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating } from "../../base/dtype.ts";
import type { Part } from "../../base/part.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../../ir/instruction.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { OpName } from "./opcodes.ts";

/** How elements of a dtype lie in registers: half floats as float32, small integers widened, bool as masks. */
export type RegisterType = "f32" | "i32" | "mask" | "f64" | "i64";

/** The register type of `dtype`. */
export function registerTypeOf(dtype: Dtype): RegisterType {
  if (dtype === "bool") return "mask";
  if (isFloating(dtype)) return dtype === "float64" ? "f64" : "f32";
  return byteLengthOf(dtype) === 8 ? "i64" : "i32";
}

/** Lanes of one register. */
export function lanesPerRegister(dtype: Dtype): number {
  return byteLengthOf(dtype) === 8 ? 2 : 4;
}

/** Emitters that are loaded when first needed. */
export interface LaneParts {
  /** Transcendental functions. */
  readonly math: Part<typeof import("./vector-math.ts").emitFunction>;
  /** Integers, bool and half floats: their arithmetic, their conversions, how they lie in memory; and what has positions or masks. */
  readonly types: Part<
    typeof import("./lane-integers.ts") &
      typeof import("./lane-casts.ts") &
      typeof import("./lane-narrow.ts") &
      typeof import("./lane-positions.ts")
  >;
}

/** What may be asked of the engine, and of the parts of this backend. */
export interface Target {
  readonly relaxed: boolean;
  readonly parts: LaneParts;
}

/** Emits elementwise instructions into one function. Operands and results are v128 locals. */
export class LaneOps {
  readonly f: FunctionBuilder;
  readonly target: Target;

  constructor(f: FunctionBuilder, target: Target) {
    this.f = f;
    this.target = target;
  }

  /** What emits integers, bool and half floats. @throws {MissingPart} */
  get others(): ReturnType<LaneParts["types"]["get"]> {
    return this.target.parts.types.get();
  }

  /** A local set to what `push` leaves on the stack. */
  keep(push: () => void): number {
    push();
    const local = this.f.local("v128");
    this.f.set(local);
    return local;
  }

  /** The result of an instruction on these operands. */
  op(name: OpName, ...operands: readonly number[]): number {
    return this.keep(() => this.f.get(...operands).op(name));
  }

  /** A register with `value` in every lane. */
  constant(value: number | bigint, dtype: Dtype): number {
    const { f } = this;
    switch (registerTypeOf(dtype)) {
      case "f32":
        return f.constantF32(Number(value));
      case "f64":
        return f.constantF64(Number(value));
      case "i32":
        return f.constantI32(Number(BigInt.asIntN(32, BigInt(value))));
      case "mask":
        return f.constantI32(value ? -1 : 0);
      case "i64":
        return this.keep(() => f.splatI64(BigInt.asIntN(64, BigInt(value))));
    }
  }

  unary(op: UnaryOp, dtype: Dtype, x: number): number {
    const shape = floatShape(dtype);
    if (!shape) return this.others.unary(this, op, dtype, x);
    switch (op) {
      case "neg":
      case "abs":
        // Engines make several instructions of f32x4.neg and f32x4.abs.
        if (shape === "f64x2") return this.op(`${shape}.${op}`, x);
        return op === "neg"
          ? this.op("v128.xor", x, this.f.constantI32(0x80000000))
          : this.op("v128.and", x, this.f.constantI32(0x7fffffff));
      case "sqrt":
      case "floor":
      case "ceil":
      case "trunc":
        return this.op(`${shape}.${op}`, x);
      case "round":
        return this.op(`${shape}.nearest`, x);
      case "rsqrt":
        return this.op(`${shape}.div`, this.constant(1, dtype), this.op(`${shape}.sqrt`, x));
      default:
        return this.target.parts.math.get()(this, op, shape, [x]);
    }
  }

  binary(op: BinaryOp, dtype: Dtype, a: number, b: number): number {
    const shape = floatShape(dtype);
    if (!shape) return this.others.binary(this, op, dtype, a, b);
    switch (op) {
      case "add":
      case "sub":
      case "mul":
      case "div":
      case "min":
      case "max":
        return this.op(`${shape}.${op}`, a, b);
      default:
        return this.target.parts.math.get()(this, op, shape, [a, b]);
    }
  }

  /** A mask of 32-bit lanes per 32-bit operand register; for 64-bit operands a mask of 64-bit lanes. */
  compare(op: CompareOp, dtype: Dtype, a: number, b: number): number {
    const shape = floatShape(dtype);
    return shape ? this.op(`${shape}.${op}`, a, b) : this.others.compare(this, op, dtype, a, b);
  }

  /** `max` or `min` of floats with a number, in one or two instructions where two operands that may be NaN take eight. */
  bounded(op: "max" | "min", dtype: Dtype, x: number, limit: number): number {
    const bound = this.constant(limit, dtype);
    // pmax(x, b) is x < b ? b : x: NaN stays, but so does -0, of which a maximum with 0 makes 0. pmin likewise.
    if (Number.isNaN(limit) || (Object.is(limit, -0) && op === "min")) return this.binary(op, dtype, x, bound);
    const shape = registerTypeOf(dtype) === "f64" ? "f64x2" : "f32x4";
    return this.keep(() => {
      this.f.get(x, bound).op(`${shape}.p${op}`);
      if (Object.is(limit, 0)) this.f.get(bound).op(`${shape}.add`);
    });
  }

  /** Lanes of `a` where all bits of `mask` are set, of `b` where none is. */
  select(mask: number, a: number, b: number): number {
    return this.op(this.target.relaxed ? "i32x4.relaxed_laneselect" : "v128.bitselect", a, b, mask);
  }

  /**
   * Registers of `from` elements converted to `to`. A uniform value is one register in and one out; otherwise registers of
   * 64-bit lanes are twice as many as those of 32-bit lanes.
   */
  cast(from: Dtype, to: Dtype, registers: readonly number[], isUniform: boolean): readonly number[] {
    if (from === to || registers.length === 0) return registers;
    if (from === "float32" && to === "float64") {
      return registers.flatMap((x) => {
        const low = this.op("f64x2.promote_low_f32x4", x);
        return isUniform ? [low] : [low, this.op("f64x2.promote_low_f32x4", this.lanes(highHalf, x, x))];
      });
    }
    if (from !== "float64" || to !== "float32") return this.others.cast(this, from, to, registers, isUniform);
    const step = isUniform ? 1 : 2;
    const halves = registers.map((x) => this.op("f32x4.demote_f64x2_zero", x));
    return halves.flatMap((low, k) =>
      k % step === 0 ? [this.lanes(lowHalves, low, halves[k + step - 1] ?? low)] : [],
    );
  }

  /** Bytes picked from two registers. */
  lanes(pattern: readonly number[], a: number, b: number): number {
    return this.keep(() => this.f.get(a, b).shuffle(...pattern));
  }
}

/** The higher half of a register, then the lower one. */
export const highHalf: readonly number[] = Array.from({ length: 16 }, (_, byte) => (byte + 8) % 16);
/** The lower halves of two registers. */
export const lowHalves: readonly number[] = Array.from({ length: 16 }, (_, byte) => byte + (byte < 8 ? 0 : 8));

/** The shape of registers of floating-point numbers; null for other types. */
function floatShape(dtype: Dtype): "f32x4" | "f64x2" | null {
  if (dtype === "float64") return "f64x2";
  return isFloating(dtype) ? "f32x4" : null;
}
