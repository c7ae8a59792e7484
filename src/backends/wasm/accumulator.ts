/** Running results of reductions in registers: started, fed, joined across lanes and chunks, finished. */
import type { Dtype } from "../../base/dtype.ts";
import { integerLimits, isFloating, isHalf, kindOf } from "../../base/dtype.ts";
import type { Expr } from "../../ir/expr.ts";
import { elementType } from "../../ir/expr.ts";
import type { ReduceOp } from "../../ir/instruction.ts";
import type { LaneOps } from "./lane-ops.ts";
import { lanesPerRegister } from "./lane-ops.ts";

/** Points per lane above which float32 sums are kept in float64: below, rounding stays under 1e-5 even if all points are equal. */
const longSum = 512;

/**
 * Points of a lane that are added in float32 before float64 takes their sum: with 15 roundings it is off by at most 9e-7 of
 * the sum of their magnitudes. To convert each point would cost more than to read it.
 */
export const pointsPerBlock = 16;

/** Bytes that one unfinished accumulator takes in memory: its value and its mark. */
export const accumulatorBytes = 32;

/** What a reduction accumulates in. */
export interface AccumulatorType {
  readonly op: ReduceOp;
  /** The element type of the operand as it is combined. */
  readonly dtype: Dtype;
  /** The element type of the running result. */
  readonly wide: Dtype;
  readonly result: Dtype;
}

/** How `reduce` accumulates over `points` points per lane. */
export function accumulatorType(reduce: Expr, points: number): AccumulatorType {
  if (reduce.op !== "reduce") throw new RangeError(`${reduce.op} is no reduction`);
  const [operand] = reduce.args;
  const dtype = operand ? elementType(operand) : elementType(reduce);
  const isSum = reduce.reduceOp === "sum";
  const single = isHalf(dtype) ? "float32" : dtype;
  const wide = isSum && single === "float32" && points > longSum ? "float64" : single;
  return { op: reduce.reduceOp, dtype, wide, result: elementType(reduce) };
}

/** One running reduction. */
export class Accumulator {
  readonly type: AccumulatorType;
  readonly isUniform: boolean;
  /** Registers of running values. */
  readonly values: readonly number[];
  /** Beside each value: for argmax and argmin the position of the running extreme, for max and min of floats a mask of NaN. */
  readonly #marks: readonly number[];
  readonly #ops: LaneOps;
  /** As wide as the values, so that one mask selects both. */
  readonly #positionDtype: Dtype;
  /** Whether it looks for a position. */
  readonly isArg: boolean;
  /** An extreme of floats takes one instruction if it may pass over NaN, and eight if not: NaN are noted in the marks. */
  readonly #notesNan: boolean;
  /** Float32 sums of the block that is open: registers; none where points go to the running values at once. */
  #block: readonly number[] = [];

  /** `lanes` 1 makes a uniform accumulator: one register, all lanes alike. */
  constructor(ops: LaneOps, type: AccumulatorType, lanes: number) {
    this.#ops = ops;
    this.type = type;
    this.isUniform = lanes === 1;
    const count = this.isUniform ? 1 : lanes / lanesPerRegister(type.wide);
    this.values = Array.from({ length: count }, () => ops.f.local("v128"));
    this.isArg = type.op === "argmax" || type.op === "argmin";
    this.#notesNan = (type.op === "max" || type.op === "min") && isFloating(type.wide);
    this.#marks = this.isArg || this.#notesNan ? this.values.map(() => ops.f.local("v128")) : [];
    this.#positionDtype = lanesPerRegister(type.wide) === 2 ? "int64" : "uint32";
    this.#start();
  }

  #start(): void {
    const { f } = this.#ops;
    const identity = this.#ops.constant(identityOf(this.type.op, this.type.wide), this.type.wide);
    for (const register of this.values) f.get(identity).set(register);
    const unset = this.isArg
      ? this.#ops.others.noPosition(this.#ops, this.#positionDtype)
      : this.#ops.constant(0, "int32");
    for (const register of this.#marks) f.get(unset).set(register);
  }

  /** Takes in one value per lane, given in registers of the operand's dtype, and int32 positions for argmax and argmin. */
  add(registers: readonly number[], positions: readonly number[]): void {
    if (this.#block.length > 0) {
      const single = this.#ops.cast(this.type.dtype, "float32", registers, this.isUniform);
      for (const [k, sum] of this.#block.entries())
        this.#ops.f
          .get(sum, single[k] ?? 0)
          .op("f32x4.add")
          .set(sum);
      return;
    }
    const wide = this.#ops.cast(this.type.dtype, this.type.wide, registers, this.isUniform);
    const places = this.#ops.cast("int32", this.#positionDtype, positions, this.isUniform);
    this.values.forEach((_, k) => {
      const value = wide[k] ?? 0;
      const mark = this.#notesNan ? this.#ops.compare("ne", this.type.wide, value, value) : places[k];
      this.#take(k, value, mark);
    });
  }

  /** Whether points may be added in blocks: float32 ones on their way to a float64 sum, lane by lane. */
  get takesBlocks(): boolean {
    const { dtype, wide } = this.type;
    return wide === "float64" && dtype !== "float64" && !this.isUniform;
  }

  /** Runs `body` with what it adds summed in float32 first; it may add {@link pointsPerBlock} times. */
  inBlock(body: () => void): void {
    const { f } = this.#ops;
    this.#block = this.values.filter((_, k) => k % 2 === 0).map(() => f.local("v128"));
    const zero = this.#ops.constant(0, "float32");
    for (const sum of this.#block) f.get(zero).set(sum);
    body();
    const wide = this.#ops.cast("float32", "float64", this.#block, false);
    for (const register of this.#block) f.release(register);
    this.#block = [];
    for (const k of this.values.keys()) this.#take(k, wide[k] ?? 0);
  }

  /** Takes a value of the running type, with its mark, into register `k`. */
  #take(k: number, value: number, mark = 0): void {
    const { f } = this.#ops;
    const running = this.values[k] ?? 0;
    const at = this.#marks[k] ?? 0;
    if (this.isArg)
      this.#ops.others.takeExtreme(
        this.#ops,
        this.type,
        this.#positionDtype,
        { value: running, at },
        { value, at: mark },
      );
    else f.get(this.#combine(running, value)).set(running);
    if (this.#notesNan) f.get(at, mark).op("v128.or").set(at);
  }

  #combine(a: number, b: number): number {
    const { op, wide } = this.type;
    if (this.#notesNan) {
      // pmax(a, b) is a < b ? b : a, pmin(a, b) is b < a ? b : a: a NaN b gives way.
      const shape = wide === "float64" ? "f64x2" : "f32x4";
      return this.#ops.keep(() => this.#ops.f.get(a, b).op(op === "max" ? `${shape}.pmax` : `${shape}.pmin`));
    }
    const name = op === "sum" ? "add" : op === "prod" ? "mul" : op === "max" ? "max" : "min";
    return this.#ops.binary(name, wide, a, b);
  }

  /** Combines all lanes into a uniform accumulator. */
  joinLanes(): Accumulator {
    if (this.isUniform) return this;
    const joined = new Accumulator(this.#ops, this.type, 1);
    const { f } = this.#ops;
    const is64 = lanesPerRegister(this.type.wide) === 2;
    this.values.forEach((register, k) => {
      for (let lane = 0; lane < lanesPerRegister(this.type.wide); lane++) {
        const bytes = is64 ? 8 : 4;
        const pattern = Array.from({ length: 16 }, (_, byte) => lane * bytes + (byte % bytes));
        const value = this.#ops.keep(() => f.get(register, register).shuffle(...pattern));
        const at = this.#marks[k];
        joined.#take(0, value, at === undefined ? 0 : this.#ops.keep(() => f.get(at, at).shuffle(...pattern)));
      }
    });
    // Through a scalar: an engine that makes wide vectors then need not follow the lanes back into the loop.
    for (const register of is64 ? [] : [...joined.values, ...joined.#marks])
      f.get(register).lane("i32x4.extract_lane", 0).op("i32x4.splat").set(register);
    return joined;
  }

  /** Takes in another uniform accumulator of the same reduction. */
  join(other: Accumulator): void {
    this.#take(0, other.values[0] ?? 0, other.#marks[0]);
  }

  /** The registers of the finished result, of the result's dtype. */
  finish(): readonly number[] {
    if (this.isArg) return this.#ops.cast(this.#positionDtype, this.type.result, this.#marks, this.isUniform);
    const { f } = this.#ops;
    // A mask of NaN has all bits set, which is one.
    const values = this.#notesNan
      ? this.values.map((value, k) => this.#ops.keep(() => f.get(value, this.#marks[k] ?? 0).op("v128.or")))
      : this.values;
    return this.#ops.cast(this.type.wide, this.type.result, values, this.isUniform);
  }

  /** Writes a uniform accumulator to memory at `address + offset`. */
  save(address: number, offset: number): void {
    const { f } = this.#ops;
    f.get(address, this.values[0] ?? 0).memory("v128.store", offset);
    const [at] = this.#marks;
    if (at !== undefined) f.get(address, at).memory("v128.store", offset + 16);
  }

  /** Takes in what `save` wrote. */
  addSaved(address: number, offset: number): void {
    const { f } = this.#ops;
    const value = this.#ops.keep(() => f.get(address).memory("v128.load", offset));
    const hasMark = this.#marks.length > 0;
    this.#take(0, value, hasMark ? this.#ops.keep(() => f.get(address).memory("v128.load", offset + 16)) : 0);
  }
}

/** What a reduction begins with. */
export function identityOf(op: ReduceOp, dtype: Dtype): number | bigint {
  switch (op) {
    case "sum":
      return 0;
    case "prod":
      return 1;
    case "max":
    case "argmax":
      return lowest(dtype);
    case "min":
    case "argmin":
      return highest(dtype);
  }
}

function lowest(dtype: Dtype): number | bigint {
  if (isFloating(dtype)) return Number.NEGATIVE_INFINITY;
  return kindOf(dtype) === "bool" ? 0 : integerLimits(dtype)[0];
}

function highest(dtype: Dtype): number | bigint {
  if (isFloating(dtype)) return Number.POSITIVE_INFINITY;
  return kindOf(dtype) === "bool" ? 1 : integerLimits(dtype)[1];
}
