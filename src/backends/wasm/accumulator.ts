/** Running results of reductions in registers: started, fed, joined across lanes and chunks, finished. */
import type { Dtype } from "../../base/dtype.ts";
import { integerLimits, isFloating, isHalf, kindOf } from "../../base/dtype.ts";
import type { Expr, ReduceOp } from "../../ir/expr.ts";
import { elementType } from "../../ir/expr.ts";
import type { LaneOps } from "./lane-ops.ts";
import { lanesPerRegister } from "./lane-ops.ts";

/** Points per lane above which float32 sums are kept in float64: below, rounding stays under 1e-5 even if all points are equal. */
const longSum = 512;

/** Bytes that one unfinished accumulator takes in memory: its value and its position. */
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
  /** Registers of positions of the running extreme, for argmax and argmin. */
  readonly positions: readonly number[];
  readonly #ops: LaneOps;
  /** As wide as the values, so that one mask selects both. */
  readonly #positionDtype: Dtype;

  /** `lanes` 1 makes a uniform accumulator: one register, all lanes alike. */
  constructor(ops: LaneOps, type: AccumulatorType, lanes: number) {
    this.#ops = ops;
    this.type = type;
    this.isUniform = lanes === 1;
    const count = this.isUniform ? 1 : lanes / lanesPerRegister(type.wide);
    this.values = Array.from({ length: count }, () => ops.f.local("v128"));
    const isArg = type.op === "argmax" || type.op === "argmin";
    this.positions = isArg ? this.values.map(() => ops.f.local("v128")) : [];
    this.#positionDtype = lanesPerRegister(type.wide) === 2 ? "int64" : "uint32";
    this.#start();
  }

  #start(): void {
    const { f } = this.#ops;
    const identity = this.#ops.constant(identityOf(this.type.op, this.type.wide), this.type.wide);
    for (const register of this.values) f.get(identity).set(register);
    const unset = this.#unset();
    for (const register of this.positions) f.get(unset).set(register);
  }

  /** Takes in one value per lane, given in registers of the operand's dtype, and int32 positions for argmax and argmin. */
  add(registers: readonly number[], positions: readonly number[]): void {
    const { f } = this.#ops;
    const wide = this.#ops.cast(this.type.dtype, this.type.wide, registers, this.isUniform);
    const places = this.#ops.cast("int32", this.#positionDtype, positions, this.isUniform);
    this.values.forEach((running, k) => {
      const value = wide[k] ?? 0;
      if (this.positions.length === 0) f.get(this.#combine(running, value)).set(running);
      else this.#takeExtreme(running, this.positions[k] ?? 0, value, places[k] ?? 0);
    });
  }

  /** A position after every other one. */
  #unset(): number {
    return this.#ops.constant(integerLimits(this.#positionDtype)[1], this.#positionDtype);
  }

  #combine(a: number, b: number): number {
    const { op, wide } = this.type;
    const name = op === "sum" ? "add" : op === "prod" ? "mul" : op === "max" ? "max" : "min";
    return this.#ops.binary(name, wide, a, b);
  }

  /** Moves to the new value where it is better, is the first NaN, or is the first value at all; ties go to the lower position. */
  #takeExtreme(running: number, at: number, value: number, position: number): void {
    const { f } = this.#ops;
    const { op, wide } = this.type;
    const less =
      op === "argmax" ? this.#ops.compare("lt", wide, running, value) : this.#ops.compare("lt", wide, value, running);
    const equal = this.#ops.compare("eq", wide, running, value);
    const before = this.#ops.compare("lt", this.#positionDtype, position, at);
    const earlier = this.#ops.keep(() => f.get(before, equal).op("v128.and"));
    let better = this.#ops.keep(() => f.get(less, earlier).op("v128.or"));
    if (isFloating(wide)) {
      const isNan = this.#ops.compare("ne", wide, value, value);
      const wasNan = this.#ops.compare("ne", wide, running, running);
      const isFirstNan = this.#ops.keep(() =>
        f.get(wasNan).op("v128.not").get(before).op("v128.or").get(isNan).op("v128.and"),
      );
      better = this.#ops.keep(() => f.get(better, wasNan).op("v128.andnot").get(isFirstNan).op("v128.or"));
    }
    const isUnset = this.#ops.compare("eq", this.#positionDtype, at, this.#unset());
    const moves = this.#ops.keep(() => f.get(better, isUnset).op("v128.or"));
    f.get(value, running, moves).op("v128.bitselect").set(running);
    f.get(position, at, moves).op("v128.bitselect").set(at);
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
        const at = this.positions[k];
        const position = at === undefined ? [] : [this.#ops.keep(() => f.get(at, at).shuffle(...pattern))];
        joined.addWide(value, position);
      }
    });
    return joined;
  }

  /** Takes in a uniform value that is already of the running type. */
  addWide(value: number, positions: readonly number[]): void {
    const { f } = this.#ops;
    const [running = 0] = this.values;
    const [at] = this.positions;
    if (at === undefined) f.get(this.#combine(running, value)).set(running);
    else this.#takeExtreme(running, at, value, positions[0] ?? 0);
  }

  /** Takes in another uniform accumulator of the same reduction. */
  join(other: Accumulator): void {
    this.addWide(other.values[0] ?? 0, other.positions);
  }

  /** The registers of the finished result, of the result's dtype. */
  finish(): readonly number[] {
    if (this.positions.length > 0)
      return this.#ops.cast(this.#positionDtype, this.type.result, this.positions, this.isUniform);
    return this.#ops.cast(this.type.wide, this.type.result, this.values, this.isUniform);
  }

  /** Writes a uniform accumulator to memory at `address + offset`. */
  save(address: number, offset: number): void {
    const { f } = this.#ops;
    f.get(address, this.values[0] ?? 0).memory("v128.store", offset);
    const [at] = this.positions;
    if (at !== undefined) f.get(address, at).memory("v128.store", offset + 16);
  }

  /** Takes in what `save` wrote. */
  addSaved(address: number, offset: number): void {
    const { f } = this.#ops;
    const value = this.#ops.keep(() => f.get(address).memory("v128.load", offset));
    const positions =
      this.positions.length > 0 ? [this.#ops.keep(() => f.get(address).memory("v128.load", offset + 16))] : [];
    this.addWide(value, positions);
  }
}

function identityOf(op: ReduceOp, dtype: Dtype): number | bigint {
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
