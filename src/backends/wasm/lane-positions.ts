/** What needs masks, or positions as data: comparisons, positions among values, positions of extremes. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, integerLimits, isFloating } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { Expr } from "../../ir/expr.ts";
import { argOf, elementType } from "../../ir/expr.ts";
import type { CompareOp } from "../../ir/instruction.ts";
import { isComparison } from "../../ir/instruction.ts";
import type { AccumulatorType } from "./accumulator.ts";
import type { ExpressionEmitter, LaneValue } from "./expression-emitter.ts";
import { pushAddress } from "./lane-memory.ts";
import type { LaneOps } from "./lane-ops.ts";
import { lanesPerRegister } from "./lane-ops.ts";

/** Masks of a comparison; of positions too. */
export function compareValues(em: ExpressionEmitter, expr: Expr, isUniform: boolean): LaneValue {
  const [left, right] = [argOf(expr, 0), argOf(expr, 1)];
  const op = asCompare(expr.op);
  if (left.dtype === "index") {
    const a = indexValue(em, left, "int32");
    const b = indexValue(em, right, "int32");
    const count = Math.max(a.registers.length, b.registers.length);
    const registers = Array.from({ length: count }, (_, k) =>
      em.ops.compare(op, "int32", a.registers[a.isUniform ? 0 : k] ?? 0, b.registers[b.isUniform ? 0 : k] ?? 0),
    );
    return { registers, isUniform: a.isUniform && b.isUniform };
  }
  const dtype = elementType(left);
  const a = isUniform ? em.value(left).registers : em.registers(left);
  const b = isUniform ? em.value(right).registers : em.registers(right);
  const masks = a.map((register, k) => em.ops.compare(op, dtype, register, b[k] ?? 0));
  return {
    registers: byteLengthOf(dtype) === 8 ? em.ops.others.narrowMasks(em.ops, masks, isUniform) : masks,
    isUniform,
  };
}

/** Pushes a position that takes masks, data or both operands to compute. */
export function pushPosition(em: ExpressionEmitter, expr: Expr): void {
  const { f } = em;
  const at = (k: number): number => em.position(argOf(expr, k));
  switch (expr.op) {
    case "mul":
      f.get(at(0), at(1)).op("i32.mul");
      return;
    case "quotient":
    case "remainder":
      f.get(at(0), at(1)).op(expr.op === "quotient" ? "i32.div_s" : "i32.rem_s");
      return;
    case "min":
    case "max": {
      const [a, b] = [at(0), at(1)];
      f.get(a, b, a, b)
        .op(expr.op === "min" ? "i32.lt_s" : "i32.gt_s")
        .op("select");
      return;
    }
    case "select": {
      const [mask = 0] = em.value(argOf(expr, 0)).registers;
      f.get(at(1), at(2), mask).lane("i32x4.extract_lane", 0).op("select");
      return;
    }
    case "cast": {
      const [register = 0] = em.value(em.e.cast(argOf(expr, 0), "int32")).registers;
      f.get(register).lane("i32x4.extract_lane", 0);
      return;
    }
    default:
      throw new MLXError("codegen", `${expr.op} is no operation on positions`);
  }
}

/** A position as data. */
export function indexValue(em: ExpressionEmitter, index: Expr, dtype: Dtype): LaneValue {
  if (!em.variesByLane(index)) {
    const position = em.position(index);
    const register = em.ops.keep(() => em.f.get(position).op("i32x4.splat"));
    return { registers: em.ops.cast("int32", dtype, [register], true), isUniform: true };
  }
  const { lanes } = em.requireLanes();
  const linear = em.linear(index);
  const registers: number[] = [];
  for (let first = 0; first < lanes; first += 4) {
    if (linear) {
      const base = em.position(linear.base);
      const steps = new Int32Array([0, 1, 2, 3].map((k) => (first + k) * linear.coefficient));
      registers.push(
        em.ops.keep(() => {
          em.f.get(base).op("i32x4.splat").v128(new Uint8Array(steps.buffer)).op("i32x4.add");
        }),
      );
    } else {
      registers.push(
        em.ops.keep(() => {
          em.f.get(positionAt(em, index, first)).op("i32x4.splat");
          for (let k = 1; k < 4; k++) em.f.get(positionAt(em, index, first + k)).lane("i32x4.replace_lane", k);
        }),
      );
    }
  }
  return { registers: em.ops.cast("int32", dtype, registers, false), isUniform: false };
}

/** Elements that do not lie beside each other: at equal distances, or each at a place of its own. */
export function loadApart(em: ExpressionEmitter, pointer: number, dtype: Dtype, index: Expr): LaneValue {
  const { lanes } = em.requireLanes();
  const linear = em.linear(index);
  const perRegister = lanesPerRegister(dtype);
  const registers: number[] = [];
  if (linear) {
    const { base, coefficient } = linear;
    const lowest = coefficient > 0 ? base : em.e.scale(base, 1, coefficient * (lanes - 1));
    const address = em.address(pointer, em.position(lowest), dtype);
    const distance = Math.abs(coefficient) * byteLengthOf(dtype);
    for (let first = 0; first < lanes; first += perRegister) {
      const offset = (lane: number): number => (coefficient > 0 ? first + lane : lanes - 1 - first - lane) * distance;
      registers.push(em.ops.others.loadScattered(em.ops, dtype, () => em.f.get(address), offset));
    }
    return { registers, isUniform: false };
  }
  for (let first = 0; first < lanes; first += perRegister) {
    const positions = Array.from({ length: perRegister }, (_, k) => positionAt(em, index, first + k));
    const push = (lane: number): void => {
      pushAddress(em.f, pointer, positions[lane] ?? 0, dtype);
    };
    registers.push(em.ops.others.loadScattered(em.ops, dtype, push, () => 0));
  }
  return { registers, isUniform: false };
}

/** The position for one lane of an expression that varies by lane. */
export function positionAt(em: ExpressionEmitter, index: Expr, lane: number): number {
  const point = new Map([[em.requireLanes().lane.id, em.e.index(lane)]]);
  // Finished reductions that it depends on have their values in lanes.
  for (const reduce of em.dependencies.reducesIn(index)) {
    const { registers, isUniform } = em.value(reduce);
    if (!isUniform) em.bindValue(em.e.substitute(reduce, point), laneOf(em.ops, registers, elementType(reduce), lane));
  }
  return em.position(em.e.substitute(index, point));
}

/** One lane of a value, repeated. */
function laneOf(ops: LaneOps, registers: readonly number[], dtype: Dtype, lane: number): LaneValue {
  const perRegister = lanesPerRegister(dtype);
  const register = registers[Math.floor(lane / perRegister)] ?? 0;
  const bytes = 16 / perRegister;
  const first = (lane % perRegister) * bytes;
  const pattern = Array.from({ length: 16 }, (_, byte) => first + (byte % bytes));
  return { registers: [ops.keep(() => ops.f.get(register, register).shuffle(...pattern))], isUniform: true };
}

/** The flat position over the axes of a reduction, in int32 registers; `spelled` says what stands for some of the axes. */
export function reducedPosition(
  em: ExpressionEmitter,
  reduce: Expr,
  spelled: ReadonlyMap<number, Expr> | undefined,
  isUniform: boolean,
): readonly number[] {
  if (reduce.op !== "reduce") return [];
  const { e } = em;
  const index = e.ravel(
    reduce.axes.map((axis) => spelled?.get(axis.id) ?? e.axis(axis)),
    reduce.axes.map(({ length }) => length),
  );
  const position = e.cast(index, "int32");
  return isUniform ? em.value(position).registers : em.registers(position);
}

/** A value with its position. */
interface Placed {
  readonly value: number;
  readonly at: number;
}

/** A position after every other one. */
export function noPosition(ops: LaneOps, positionDtype: Dtype): number {
  return ops.constant(integerLimits(positionDtype)[1], positionDtype);
}

/**
 * Moves what runs to the new value where it is better, is the first NaN, or is the first value at all; ties go to the lower
 * position.
 */
export function takeExtreme(
  ops: LaneOps,
  { op, wide }: AccumulatorType,
  positionDtype: Dtype,
  running: Placed,
  next: Placed,
): void {
  const { f } = ops;
  const less =
    op === "argmax"
      ? ops.compare("lt", wide, running.value, next.value)
      : ops.compare("lt", wide, next.value, running.value);
  const equal = ops.compare("eq", wide, running.value, next.value);
  const before = ops.compare("lt", positionDtype, next.at, running.at);
  const earlier = ops.keep(() => f.get(before, equal).op("v128.and"));
  let better = ops.keep(() => f.get(less, earlier).op("v128.or"));
  if (isFloating(wide)) {
    const isNan = ops.compare("ne", wide, next.value, next.value);
    const wasNan = ops.compare("ne", wide, running.value, running.value);
    const isFirstNan = ops.keep(() => f.get(wasNan).op("v128.not").get(before).op("v128.or").get(isNan).op("v128.and"));
    better = ops.keep(() => f.get(better, wasNan).op("v128.andnot").get(isFirstNan).op("v128.or"));
  }
  const isUnset = ops.compare("eq", positionDtype, running.at, noPosition(ops, positionDtype));
  const moves = ops.keep(() => f.get(better, isUnset).op("v128.or"));
  f.get(next.value, running.value, moves).op("v128.bitselect").set(running.value);
  f.get(next.at, running.at, moves).op("v128.bitselect").set(running.at);
}

function asCompare(op: string): CompareOp {
  if (isComparison(op)) return op;
  throw new MLXError("codegen", `${op} is no comparison`);
}
