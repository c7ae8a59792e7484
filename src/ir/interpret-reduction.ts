/** How the interpreter combines elements: sums and products of floats in float64 with one rounding at the end. */
import type { Dtype } from "../base/dtype.ts";
import { integerLimits, isFloating } from "../base/dtype.ts";
import { narrowedBig } from "./big-arithmetic.ts";
import type { Expr } from "./expr.ts";
import { argOf, elementType } from "./expr.ts";
import type { Tape } from "./interpret-tape.ts";
import { isBig, requireReduction } from "./interpret-tape.ts";
import { narrowed } from "./scalar-arithmetic.ts";

/** A reduction under way: `start` it, let it `take` the operand at each point of its loop, `finish` it. */
export interface Accumulator {
  start(): void;
  take(): void;
  finish(): void;
}

/** What the accumulator takes in at each point. */
export interface Operand {
  /** The type of the elements. */
  readonly dtype: Dtype;
  number(): number;
  big(): bigint;
}

/** The operand that lies in the register of `expr`. */
export function operandOf(tape: Tape, expr: Expr): Operand {
  const place = tape.placeOf(expr);
  const { numbers, bigints } = tape;
  return { dtype: elementType(expr), number: () => numbers[place] ?? 0, big: () => bigints[place] ?? 0n };
}

/** The accumulator of `expr`, a reduction, which takes in its own operand unless another is given. */
export function accumulatorOf(tape: Tape, expr: Expr, given?: Operand): Accumulator {
  const reduce = requireReduction(expr);
  const operand = given ?? operandOf(tape, argOf(reduce, 0));
  const place = tape.placeOf(reduce);
  const dtype = elementType(reduce);
  const { numbers, bigints } = tape;
  switch (reduce.reduceOp) {
    case "argmax":
    case "argmin":
      return positionAccumulator(tape, reduce, operand, place);
    default: {
      if (isBig(dtype)) {
        const combine = bigCombiner(reduce.reduceOp, dtype);
        const first = bigIdentity(reduce.reduceOp, dtype);
        let sofar = first;
        return {
          start: () => {
            sofar = first;
          },
          take: () => {
            sofar = combine(sofar, operand.big());
          },
          finish: () => {
            bigints[place] = sofar;
          },
        };
      }
      const combine = numberCombiner(reduce.reduceOp, dtype);
      const first = numberIdentity(reduce.reduceOp, dtype);
      const finish = narrowed(dtype);
      let sofar = first;
      return {
        start: () => {
          sofar = first;
        },
        take: () => {
          sofar = combine(sofar, operand.number());
        },
        finish: () => {
          numbers[place] = finish(sofar);
        },
      };
    }
  }
}

type CombineOp = "sum" | "prod" | "max" | "min";

function numberCombiner(op: CombineOp, dtype: Dtype): (a: number, b: number) => number {
  const finish = narrowed(dtype);
  switch (op) {
    case "sum":
      return isFloating(dtype) ? (a, b) => a + b : (a, b) => finish(a + b);
    case "prod":
      return isFloating(dtype) ? (a, b) => a * b : (a, b) => finish(Math.imul(a, b));
    case "max":
      return Math.max;
    case "min":
      return Math.min;
  }
}

function numberIdentity(op: CombineOp, dtype: Dtype): number {
  if (op === "sum") return 0;
  if (op === "prod") return 1;
  if (isFloating(dtype)) return op === "max" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (dtype === "bool") return op === "max" ? 0 : 1;
  const [low, high] = integerLimits(dtype);
  return Number(op === "max" ? low : high);
}

function bigCombiner(op: CombineOp, dtype: Dtype): (a: bigint, b: bigint) => bigint {
  const finish = narrowedBig(dtype);
  switch (op) {
    case "sum":
      return (a, b) => finish(a + b);
    case "prod":
      return (a, b) => finish(a * b);
    case "max":
      return (a, b) => (b > a ? b : a);
    case "min":
      return (a, b) => (b < a ? b : a);
  }
}

function bigIdentity(op: CombineOp, dtype: Dtype): bigint {
  if (op === "sum") return 0n;
  if (op === "prod") return 1n;
  const [low, high] = integerLimits(dtype);
  return op === "max" ? low : high;
}

/** The flat position over the reduced axes of the greatest or least element: of the first one, and of the first NaN before all. */
function positionAccumulator(
  tape: Tape,
  reduce: Expr & { readonly op: "reduce" },
  operand: Operand,
  place: number,
): Accumulator {
  const { numbers } = tape;
  const axes = reduce.axes.map((axis) => ({ place: tape.placeOfAxis(axis), length: axis.length }));
  const isGreatest = reduce.reduceOp === "argmax";
  const read: () => number | bigint = isBig(operand.dtype) ? operand.big : operand.number;
  let best: number | bigint | null = null;
  let bestPosition = 0;
  return {
    start: () => {
      best = null;
      bestPosition = 0;
    },
    take: () => {
      let position = 0;
      for (const axis of axes) position = position * axis.length + (numbers[axis.place] ?? 0);
      const value = read();
      if (best === null || isBetter(value, best, isGreatest) || (value === best && position < bestPosition)) {
        best = value;
        bestPosition = position;
      }
    },
    finish: () => {
      numbers[place] = bestPosition;
    },
  };
}

function isBetter(value: number | bigint, best: number | bigint, isGreatest: boolean): boolean {
  if (Number.isNaN(best)) return false;
  return Number.isNaN(value) || (isGreatest ? value > best : value < best);
}
