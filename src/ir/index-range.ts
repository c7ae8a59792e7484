/** What is known of positions: their affine form, the range of their values, what follows for comparisons. */
import type { Expr } from "./expr.ts";
import { argOf } from "./expr.ts";
import type { CompareOp } from "./instruction.ts";

/** A position as `offset + Σ coefficient · atom`. */
export interface Affine {
  readonly terms: ReadonlyMap<Expr, number>;
  readonly offset: number;
}

/** An index as offset plus scaled atoms. */
export function affineOf(expr: Expr): Affine {
  if (expr.op === "constant") return { terms: new Map(), offset: Number(expr.value) };
  if (expr.op === "affine") {
    return { terms: new Map(expr.args.map((arg, i) => [arg, expr.coefficients[i] ?? 0])), offset: expr.offset };
  }
  return { terms: new Map([[expr, 1]]), offset: 0 };
}

const indexLimit = 2 ** 31 - 1;

/** The least and greatest value an index expression can take. */
export function rangeOf(expr: Expr): readonly [number, number] {
  switch (expr.op) {
    case "constant":
      return [Number(expr.value), Number(expr.value)];
    case "axis":
      return [0, Math.max(expr.axis.length - 1, 0)];
    case "affine": {
      let low = expr.offset;
      let high = expr.offset;
      expr.args.forEach((arg, i) => {
        const coefficient = expr.coefficients[i] ?? 0;
        const [argLow, argHigh] = rangeOf(arg);
        low += coefficient * (coefficient > 0 ? argLow : argHigh);
        high += coefficient * (coefficient > 0 ? argHigh : argLow);
      });
      return [low, high];
    }
    case "quotient": {
      const divisor = expr.args[1];
      if (divisor?.op !== "constant") return [-indexLimit, indexLimit];
      const [low, high] = rangeOf(argOf(expr, 0));
      return [Math.floor(low / Number(divisor.value)), Math.floor(high / Number(divisor.value))];
    }
    case "remainder": {
      const divisor = expr.args[1];
      return divisor?.op === "constant" ? [0, Number(divisor.value) - 1] : [-indexLimit, indexLimit];
    }
    case "min":
    case "max": {
      const [lowA, highA] = rangeOf(argOf(expr, 0));
      const [lowB, highB] = rangeOf(argOf(expr, 1));
      return expr.op === "min"
        ? [Math.min(lowA, lowB), Math.min(highA, highB)]
        : [Math.max(lowA, lowB), Math.max(highA, highB)];
    }
    case "select": {
      const [lowA, highA] = rangeOf(argOf(expr, 1));
      const [lowB, highB] = rangeOf(argOf(expr, 2));
      return [Math.min(lowA, lowB), Math.max(highA, highB)];
    }
    default:
      return [-indexLimit, indexLimit];
  }
}

/** Whether a comparison holds for all values in two ranges; null if that depends on the values. */
export function decide(op: CompareOp, lowA: number, highA: number, lowB: number, highB: number): boolean | null {
  switch (op) {
    case "lt":
      return highA < lowB ? true : lowA >= highB ? false : null;
    case "le":
      return highA <= lowB ? true : lowA > highB ? false : null;
    case "eq":
    case "ne":
      if (highA < lowB || highB < lowA) return op === "ne";
      return lowA === highA && lowB === highB && lowA === lowB ? op === "eq" : null;
  }
}
