/** Expressions over vector locals: each method emits one operation and returns the local that holds its result. */

import "./other-opcodes.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { OpName } from "./opcodes.ts";

/** What the engine that will run the code can do. */
export interface VectorTarget {
  /** Whether relaxed SIMD may be used: multiply-adds then round once or twice, as the processor likes. */
  readonly relaxed: boolean;
}

type FloatShape = "f32x4" | "f64x2";

/** Emits into one function and keeps account of the locals that it used. Arithmetic is on lanes of `shape`. */
export class VectorScope {
  readonly f: FunctionBuilder;
  readonly #target: VectorTarget;
  readonly #shape: FloatShape;
  readonly #temporaries: number[];

  constructor(f: FunctionBuilder, target: VectorTarget, shape: FloatShape = "f32x4", temporaries: number[] = []) {
    this.f = f;
    this.#target = target;
    this.#shape = shape;
    this.#temporaries = temporaries;
  }

  /** The same scope with arithmetic on two float64 lanes. */
  wide(): VectorScope {
    return new VectorScope(this.f, this.#target, "f64x2", this.#temporaries);
  }

  /** Gives back every local of the scope but `result`, and returns it. The scope is then done. */
  end(result: number): number {
    for (const local of this.#temporaries) if (local !== result) this.f.release(local);
    this.#temporaries.length = 0;
    return result;
  }

  /** A new local, set to the top of the stack. */
  take(): number {
    const local = this.f.local("v128");
    this.#temporaries.push(local);
    this.f.set(local);
    return local;
  }

  /** A vector of two 64-bit integers as a constant. */
  bits64(value: bigint): number {
    return this.f.constantI64(value);
  }

  /** The lower and the upper two of four float32, as float64. */
  widen(x: number): readonly [low: number, high: number] {
    this.f.get(x, x).shuffle(8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    const upper = this.take();
    return [this.op("f64x2.promote_low_f32x4", x), this.op("f64x2.promote_low_f32x4", upper)];
  }

  /** Four float32 from twice two float64. */
  narrow(low: number, high: number): number {
    this.f.get(low).op("f32x4.demote_f64x2_zero").get(high).op("f32x4.demote_f64x2_zero");
    this.f.shuffle(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    return this.take();
  }

  /** The result of an instruction on these operands. */
  op(name: OpName, ...operands: number[]): number {
    this.f.get(...operands).op(name);
    return this.take();
  }

  /** Copies of a number, rounded to the scope's shape: coefficients are written with the digits that float32 needs. */
  splat(value: number): number {
    return this.#shape === "f32x4" ? this.f.constantF32(value) : this.f.constantF64(value);
  }

  /** Four copies of a 32-bit integer. */
  bits(value: number): number {
    return this.f.constantI32(value);
  }

  /** a + b */
  add(a: number, b: number): number {
    return this.op(`${this.#shape}.add`, a, b);
  }

  /** a - b */
  subtract(a: number, b: number): number {
    return this.op(`${this.#shape}.sub`, a, b);
  }

  /** a · b */
  multiply(a: number, b: number): number {
    return this.op(`${this.#shape}.mul`, a, b);
  }

  /** a / b */
  divide(a: number, b: number): number {
    return this.op(`${this.#shape}.div`, a, b);
  }

  /** √a */
  squareRoot(a: number): number {
    return this.op(`${this.#shape}.sqrt`, a);
  }

  /** a · b + c, rounded once or twice. */
  multiplyAdd(a: number, b: number, c: number): number {
    if (this.#target.relaxed) return this.op(`${this.#shape}.relaxed_madd`, a, b, c);
    return this.add(this.multiply(a, b), c);
  }

  /** c - a · b, rounded once or twice. */
  subtractProduct(c: number, a: number, b: number): number {
    if (this.#target.relaxed) return this.op(`${this.#shape}.relaxed_nmadd`, a, b, c);
    return this.subtract(c, this.multiply(a, b));
  }

  /** A polynomial in x, highest coefficient first: pairs of terms by Horner's rule in x², which halves the chain. */
  polynomial(x: number, coefficients: readonly number[]): number {
    const rising = coefficients.toReversed();
    const terms: number[] = [];
    for (let i = 0; i < rising.length; i += 2) {
      const even = this.splat(rising[i] ?? 0);
      const odd = rising[i + 1];
      terms.push(odd === undefined ? even : this.multiplyAdd(this.splat(odd), x, even));
    }
    const square = this.multiply(x, x);
    return terms.reduceRight((sum, term) => this.multiplyAdd(sum, square, term));
  }

  /** A polynomial in x by Horner's rule, highest coefficient first: a longer chain, in which only the last sum rounds at full size. */
  horner(x: number, coefficients: readonly number[]): number {
    const [highest = 0, ...rest] = coefficients;
    return rest.reduce((sum, coefficient) => this.multiplyAdd(sum, x, this.splat(coefficient)), this.splat(highest));
  }

  /** The smaller of x and a constant; NaN stays NaN. */
  atMost(x: number, limit: number): number {
    return this.op(`${this.#shape}.pmin`, x, this.splat(limit)); // pmin(a, b) is b < a ? b : a
  }

  /** The larger of x and a constant; NaN stays NaN. */
  atLeast(x: number, limit: number): number {
    return this.op(`${this.#shape}.pmax`, x, this.splat(limit)); // pmax(a, b) is a < b ? b : a
  }

  /** A mask of the lanes in which the comparison holds. */
  compare(a: number, relation: "eq" | "ne" | "lt" | "gt" | "le" | "ge", b: number): number {
    return this.op(`${this.#shape}.${relation}`, a, b);
  }

  /** Lanes of `a` where all bits of `mask` are set, of `b` where none is. A relaxed select is one instruction instead of three. */
  select(mask: number, a: number, b: number): number {
    return this.op(this.#target.relaxed ? "i32x4.relaxed_laneselect" : "v128.bitselect", a, b, mask);
  }

  /** a & b */
  and(a: number, b: number): number {
    return this.op("v128.and", a, b);
  }

  /** a | b */
  or(a: number, b: number): number {
    return this.op("v128.or", a, b);
  }

  /** |a| */
  absolute(a: number): number {
    return this.#shape === "f32x4" ? this.and(a, this.bits(0x7fffffff)) : this.op("f64x2.abs", a);
  }

  /** -a of four float32. */
  negative(a: number): number {
    return this.op("v128.xor", a, this.bits(0x80000000)); // engines make f32x4.neg of three instructions
  }

  /** The sign bits of four float32. */
  signOf(a: number): number {
    return this.and(a, this.bits(0x80000000));
  }

  /** Shifts integer lanes by a constant. */
  shift(
    name: "i32x4.shl" | "i32x4.shr_s" | "i32x4.shr_u" | "i64x2.shl" | "i64x2.shr_u",
    a: number,
    count: number,
  ): number {
    this.f.get(a).i32(count).op(name);
    return this.take();
  }
}
