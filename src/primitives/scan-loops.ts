/** The loops behind cumulative operations. */
import { isFloating, isHalf } from "../base/dtype.ts";
import { readElement, writeElement } from "../base/elements.ts";
import type { RoutineCall } from "../graph/primitive.ts";
import type { ScanOp, ScanParams } from "./scanning.ts";

/** Visits the elements row by row in the order of the scan; `before` is the element visited before in the row, or -1. */
function eachRow(shape: readonly number[], reverse: boolean, visit: (at: number, before: number) => void): void {
  const length = shape.at(-1) ?? 1;
  const size = shape.reduce((product, one) => product * one, 1);
  for (let start = 0; start < size; start += length) {
    for (let i = 0; i < length; i++) {
      const at = reverse ? start + length - 1 - i : start + i;
      visit(at, i === 0 ? -1 : reverse ? at + 1 : at - 1);
    }
  }
}

/** Each element is `a` of its place times the one before, plus `b`. */
export function recur({ inputs, output, outputAval, params }: RoutineCall<{ readonly reverse: boolean }>): void {
  const [a = output, b = output] = inputs;
  const { shape, dtype } = outputAval;
  let state = 0;
  eachRow(shape, params.reverse, (at, before) => {
    const scaled = before < 0 ? 0 : Number(readElement(a, at, dtype)) * state;
    state = scaled + Number(readElement(b, at, dtype));
    writeElement(output, at, dtype, state);
  });
}

/** Each element combined with all before it. */
export function scan({ inputs, output, outputAval, params }: RoutineCall<ScanParams>): void {
  const [input = output] = inputs;
  const { shape, dtype } = outputAval;
  const { op, reverse } = params;
  if (output instanceof BigInt64Array || output instanceof BigUint64Array) {
    const combine = bigOperations[op === "logSumExp" ? "sum" : op];
    eachRow(shape, reverse, (at, before) => {
      const value = BigInt(input[at] ?? 0n);
      output[at] = before < 0 ? value : combine(output[before] ?? 0n, value);
    });
    return;
  }
  const isWhole = !isFloating(dtype);
  const isPlain = !isHalf(dtype) && dtype !== "bool";
  const combine = op === "product" && isWhole ? Math.imul : operations[op];
  const length = shape.at(-1) ?? 1;
  const step = reverse ? -1 : 1;
  for (let start = 0; start < output.length; start += length) {
    let at = reverse ? start + length - 1 : start;
    // Sums and products run in double precision; those of integers wrap around as they are stored.
    let state = 0;
    for (let i = 0; i < length; i++, at += step) {
      const value = Number(isPlain ? input[at] : readElement(input, at, dtype));
      state = i === 0 ? value : combine(state, value);
      if (isPlain) output[at] = state;
      else writeElement(output, at, dtype, state);
      if (isWhole) state = output[at] ?? 0;
    }
  }
}

const operations: Readonly<Record<ScanOp, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  product: (a, b) => a * b,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  logSumExp(a, b) {
    const high = Math.max(a, b);
    return Number.isFinite(high) ? high + Math.log1p(Math.exp(Math.min(a, b) - high)) : high;
  },
};
const bigOperations: Readonly<Record<Exclude<ScanOp, "logSumExp">, (a: bigint, b: bigint) => bigint>> = {
  sum: (a, b) => BigInt.asIntN(64, a + b),
  product: (a, b) => BigInt.asIntN(64, a * b),
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
};
