/** Learning rates: what can be one, and what it is now. */
import { whyUnseen } from "../array/format.ts";
import { fromTypedArray } from "../array/from-data.ts";
import { currentElements } from "../array/reading.ts";
import { requireSynchronous, shown } from "../base/describe.ts";
import { readElement } from "../base/elements.ts";
import { ArgumentError } from "../base/errors.ts";
import { fromZero } from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { castTo } from "../primitives/cast.ts";
import { knownValue } from "../primitives/elementwise.ts";
import type { Schedule } from "./schedules.ts";

/** A learning rate: a number, a scalar array, or a schedule, which is asked at every step. */
export type LearningRate = number | MLXArray | Schedule;

/** A number, or a scalar array, as float32 []. @throws {ArgumentError} for what is no learning rate */
export function rateArray(optimizer: string, rate: unknown): MLXArray {
  requireSynchronous(optimizer, rate);
  if (!isValue(rate)) {
    const remedy = typeof rate === "function" ? "; give a schedule to the constructor" : "";
    throw new ArgumentError(
      optimizer,
      `a learning rate, or what a schedule returns, is a number from 0 or a scalar array, got ${shownRate(rate)}${remedy}`,
    );
  }
  return rate instanceof MLXArray ? castTo(rate, "float32") : fromTypedArray(Float32Array.of(rate), []);
}

/** The learning rate in the options of an optimizer. @throws {ArgumentError} if there is none */
export function rateOf(optimizer: string, options: unknown): LearningRate {
  const { learningRate: rate } = Object(options);
  if (isRate(rate)) return rate;
  const given = typeof options === "object" ? Object.keys(Object(options)) : [];
  const got = given.length === 0 ? shown(options) : `options named ${given.join(", ")}`;
  throw new ArgumentError(
    optimizer,
    `takes options such as { learningRate: 0.1 }, where the rate is a number from 0, a scalar array or a schedule; got ${rate === undefined ? got : shownRate(rate)}`,
  );
}

function isRate(rate: unknown): rate is LearningRate {
  return typeof rate === "function" || isValue(rate);
}

function shownRate(rate: unknown): string {
  if (!(rate instanceof MLXArray)) return shown(rate);
  return rate.ndim === 0 ? String(rate) : `shape ${formatShape(rate.shape)}`;
}

/** Whether `rate` can be a learning rate, as far as can be seen: an array may not be computed yet. */
function isValue(rate: unknown): rate is number | MLXArray {
  if (!(rate instanceof MLXArray)) return fromZero.admits(rate);
  return rate.ndim === 0 && fromZero.admits(seenNumber(rate) ?? 0);
}

/** The number in a scalar array, if it is known or lies in the CPU's memory; else null. */
export function seenNumber(scalar: MLXArray): number | null {
  const known = knownValue(scalar);
  if (known !== null) return Number(known);
  return whyUnseen(scalar) === null ? Number(readElement(currentElements(scalar), 0, scalar.dtype)) : null;
}
