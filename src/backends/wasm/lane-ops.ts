/** Elementwise instructions on registers of four 32-bit or two 64-bit lanes, by element type. Knows nothing of loops and memory. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating, kindOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import { Part } from "../../base/part.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../../ir/expr.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { LaneOpName, OpName } from "./opcodes.ts";

/** Transcendental functions. */
export const vectorMath: Part<typeof import("./vector-math.ts")> = /* @__PURE__ */ new Part(
  "transcendental functions",
  () => import("./vector-math.ts"),
);

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

const shapeNames = { f32: "f32x4", i32: "i32x4", mask: "i32x4", f64: "f64x2", i64: "i64x2" } as const;

/** What may be asked of the engine. */
export interface Target {
  readonly relaxed: boolean;
}

/** Emits elementwise instructions into one function. Operands and results are v128 locals. */
export class LaneOps {
  readonly f: FunctionBuilder;
  readonly target: Target;

  constructor(f: FunctionBuilder, target: Target) {
    this.f = f;
    this.target = target;
  }

  /** A local set to what `push` leaves on the stack. */
  keep(push: () => void): number {
    push();
    const local = this.f.local("v128");
    this.f.set(local);
    return local;
  }

  /** A register with `value` in every lane. */
  constant(value: number | bigint, dtype: Dtype): number {
    switch (registerTypeOf(dtype)) {
      case "f32":
        return this.f.constantF32(Number(value));
      case "f64":
        return this.f.constantF64(Number(value));
      case "i32":
        return this.f.constantI32(Number(BigInt.asIntN(32, BigInt(value))));
      case "mask":
        return this.f.constantI32(value ? -1 : 0);
      case "i64":
        return this.keep(() => this.f.splatI64(BigInt.asIntN(64, BigInt(value))));
    }
  }

  unary(op: UnaryOp, dtype: Dtype, x: number): number {
    const type = registerTypeOf(dtype);
    const { f } = this;
    const shape = shapeNames[type];
    if (op === "not")
      return this.#normalized(
        dtype,
        this.keep(() => f.get(x).op("v128.not")),
      );
    if (op === "neg" || op === "abs") {
      if (type === "mask" || (op === "abs" && kindOf(dtype) === "unsigned")) return x;
      // Engines make several instructions of f32x4.neg and f32x4.abs.
      if (type === "f32")
        return this.keep(() =>
          op === "neg" ? f.get(x).splatI32(0x80000000).op("v128.xor") : f.get(x).splatI32(0x7fffffff).op("v128.and"),
        );
      return this.#normalized(
        dtype,
        this.keep(() => f.get(x).op(`${shape}.${op}`)),
      );
    }
    if (type !== "f32" && type !== "f64") {
      if (op === "floor" || op === "ceil" || op === "round" || op === "trunc") return x;
      throw new MLXError(op, `is not defined for ${dtype}`);
    }
    const float = type === "f32" ? "f32x4" : "f64x2";
    switch (op) {
      case "sqrt":
      case "floor":
      case "ceil":
      case "trunc":
        return this.keep(() => f.get(x).op(`${float}.${op}`));
      case "round":
        return this.keep(() => f.get(x).op(`${float}.nearest`));
      case "rsqrt":
        return this.keep(() => f.get(this.constant(1, dtype)).get(x).op(`${float}.sqrt`).op(`${float}.div`));
      default:
        return vectorMath.get().emitFunction(this, op, type, [x]);
    }
  }

  binary(op: BinaryOp, dtype: Dtype, a: number, b: number): number {
    const { f } = this;
    const type = registerTypeOf(dtype);
    const plain = (name: OpName): number => this.keep(() => f.get(a, b).op(name));
    switch (op) {
      case "and":
      case "or":
      case "xor":
        return plain(`v128.${op}`);
      case "shl":
      case "shr":
        return this.#normalized(dtype, this.#shift(op, dtype, a, b));
      default:
    }
    if (type === "mask") {
      if (op === "add" || op === "max") return plain("v128.or");
      if (op === "mul" || op === "min") return plain("v128.and");
      if (op === "sub") return plain("v128.xor");
      throw new MLXError(op, "is not defined for bool");
    }
    if (type === "f32" || type === "f64") {
      const shape = shapeNames[type];
      if (op === "add" || op === "sub" || op === "mul" || op === "div" || op === "min" || op === "max")
        return plain(`${shape}.${op}`);
      return vectorMath.get().emitFunction(this, op, type, [a, b]);
    }
    if (op === "add" || op === "sub" || op === "mul")
      return this.#normalized(dtype, plain(`${shapeNames[type]}.${op}`));
    if (op === "min" || op === "max") return this.#integerExtreme(op, dtype, a, b);
    return this.#normalized(dtype, this.#integerByLane(op, dtype, a, b));
  }

  /** A mask of 32-bit lanes per 32-bit operand register; for 64-bit operands a mask of 64-bit lanes. */
  compare(op: CompareOp, dtype: Dtype, a: number, b: number): number {
    const { f } = this;
    const type = registerTypeOf(dtype);
    if (type === "i64") return this.#compare64(op, kindOf(dtype) === "unsigned", a, b);
    if (op === "eq" || op === "ne") return this.keep(() => f.get(a, b).op(`${shapeNames[type]}.${op}`));
    if (type === "f32" || type === "f64") return this.keep(() => f.get(a, b).op(`${shapeNames[type]}.${op}`));
    const sign = kindOf(dtype) === "signed" ? "s" : "u";
    return this.keep(() => f.get(a, b).op(`i32x4.${op}_${sign}`));
  }

  /** Lanes of `a` where all bits of `mask` are set, of `b` where none is. */
  select(mask: number, a: number, b: number): number {
    return this.keep(() =>
      this.f.get(a, b, mask).op(this.target.relaxed ? "i32x4.relaxed_laneselect" : "v128.bitselect"),
    );
  }

  /** Wraps small integers to their width, after an operation that may have left it. */
  #normalized(dtype: Dtype, x: number): number {
    const bits = 32 - byteLengthOf(dtype) * 8;
    if (kindOf(dtype) === "float" || kindOf(dtype) === "bool" || bits <= 0) return x;
    const shift = kindOf(dtype) === "signed" ? "i32x4.shr_s" : "i32x4.shr_u";
    return this.keep(() => this.f.get(x).i32(bits).op("i32x4.shl").i32(bits).op(shift));
  }

  /** `x`, whose lanes are any 32-bit integers, wrapped to an integer `dtype` of at most 32 bits. */
  wrap(dtype: Dtype, x: number): number {
    return this.#normalized(dtype, x);
  }

  #shift(op: "shl" | "shr", dtype: Dtype, a: number, b: number): number {
    const isUnsigned = kindOf(dtype) === "unsigned";
    const type = registerTypeOf(dtype) === "i64" ? "i64" : "i32";
    const name: OpName = op === "shl" ? `${type}.shl` : isUnsigned ? `${type}.shr_u` : `${type}.shr_s`;
    return this.byLane(type, [a, b], type, () => this.f.op(name));
  }

  #integerExtreme(op: "min" | "max", dtype: Dtype, a: number, b: number): number {
    const { f } = this;
    if (registerTypeOf(dtype) === "i32") {
      const sign = kindOf(dtype) === "signed" ? "s" : "u";
      return this.keep(() => f.get(a, b).op(`i32x4.${op}_${sign}`));
    }
    const isLess = this.compare("lt", dtype, a, b);
    return op === "min" ? this.select(isLess, a, b) : this.select(isLess, b, a);
  }

  #compare64(op: CompareOp, isUnsigned: boolean, a: number, b: number): number {
    const { f } = this;
    const push = (x: number): void => {
      f.get(x);
      if (isUnsigned) f.splatI64(-(2n ** 63n)).op("v128.xor");
    };
    return this.keep(() => {
      push(a);
      push(b);
      f.op(op === "eq" || op === "ne" ? `i64x2.${op}` : `i64x2.${op}_s`);
    });
  }

  /** Division, remainder and power of integers: WebAssembly has them for scalars only. */
  #integerByLane(op: BinaryOp, dtype: Dtype, a: number, b: number): number {
    const { f } = this;
    const type = registerTypeOf(dtype) === "i64" ? "i64" : "i32";
    const isSigned = kindOf(dtype) === "signed";
    const x = f.local(type);
    const y = f.local(type);
    const r = f.local(type);
    const zero = (): FunctionBuilder => (type === "i64" ? f.i64(0n) : f.i32(0));
    const minusOne = (): FunctionBuilder => (type === "i64" ? f.i64(-1n) : f.i32(-1));
    const result = this.byLane(type, [a, b], type, () => {
      f.set(y).set(x);
      if (op === "pow") return this.#integerPower(type, x, y, r);
      if (op !== "quotient" && op !== "remainder") throw new MLXError(op, `is not defined for ${dtype}`);
      const isQuotient = op === "quotient";
      f.get(y).op(`${type}.eqz`);
      f.if(
        () => zero(),
        () => {
          if (!isSigned) f.get(x, y).op(isQuotient ? `${type}.div_u` : `${type}.rem_u`);
          else {
            f.get(y);
            minusOne().op(`${type}.eq`);
            f.if(
              () => {
                zero();
                if (isQuotient) f.get(x).op(`${type}.sub`);
              },
              () => {
                f.get(x, y).op(isQuotient ? `${type}.div_s` : `${type}.rem_s`);
                if (isQuotient) return;
                f.tee(r);
                // A remainder whose sign differs from the divisor's moves by one divisor.
                f.get(y);
                zero();
                f.get(r).op(`${type}.eqz`).op("i32.eqz");
                f.get(r, y).op(`${type}.xor`);
                zero().op(`${type}.lt_s`).op("i32.and").op("select").op(`${type}.add`);
              },
              type,
            );
          }
        },
        type,
      );
    });
    f.release(x);
    f.release(y);
    f.release(r);
    return result;
  }

  /** Leaves x to the power y on the stack; a negative exponent gives 0 as truncation would, but for bases 1 and -1. */
  #integerPower(type: "i32" | "i64", x: number, y: number, r: number): void {
    const { f } = this;
    const literal = (value: number): FunctionBuilder => (type === "i64" ? f.i64(BigInt(value)) : f.i32(value));
    literal(1).set(r);
    f.block(() => {
      f.loop(() => {
        f.get(y);
        literal(0).op(`${type}.le_s`).brIf(1);
        f.get(y);
        literal(1).op(`${type}.and`).op(`${type}.eqz`);
        f.if(
          () => {},
          () => {
            f.get(r, x).op(`${type}.mul`).set(r);
          },
        );
        f.get(x, x).op(`${type}.mul`).set(x);
        f.get(y);
        literal(1).op(`${type}.shr_u`).set(y);
        f.br(0);
      });
    });
    f.get(r);
  }

  /** For each lane pushes the lanes of `args` (each followed by `convert`), runs `body`, and collects what that leaves. */
  byLane(
    type: Exclude<RegisterType, "mask">,
    args: readonly number[],
    result: Exclude<RegisterType, "mask">,
    body: () => void,
    convert?: OpName,
  ): number {
    const { f } = this;
    const count = type === "i64" || type === "f64" ? 2 : 4;
    const scalar = f.local(result);
    const target = f.local("v128");
    const extract: LaneOpName = `${shapeNames[type]}.extract_lane`;
    const replace: LaneOpName = `${shapeNames[result]}.replace_lane`;
    const lanes = new Array<number>(count).fill(0).map(() => f.local(result));
    for (let lane = 0; lane < count; lane++) {
      for (const arg of args) {
        f.get(arg).lane(extract, lane);
        if (convert) f.op(convert);
      }
      body();
      f.set(lanes[lane] ?? scalar);
    }
    f.get(lanes[0] ?? scalar).op(`${shapeNames[result]}.splat`);
    for (let lane = 1; lane < count; lane++) f.get(lanes[lane] ?? scalar).lane(replace, lane);
    f.set(target);
    for (const lane of lanes) f.release(lane);
    f.release(scalar);
    return target;
  }
}
