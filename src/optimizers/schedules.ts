/** Schedules: learning rates as functions of the step. */
import { ArgumentError } from "../base/errors.ts";
import type { Rule } from "../base/rules.ts";
import { callable, fromZero, listOf, numbers, requireValues } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, multiply, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { less } from "../primitives/comparison.ts";
import { floorDivide } from "../primitives/division.ts";
import { power } from "../primitives/exponential.ts";
import { minimum } from "../primitives/magnitude.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray } from "../primitives/operands.ts";
import { where } from "../primitives/selection.ts";
import { cos } from "../primitives/trigonometry.ts";

/** The learning rate at a step, counted from 0: a scalar array (at many steps, an array of rates). Optimizers ask with int32 []. */
export type Schedule = (step: ArrayLike) => MLXArray;

/**
 * `init · decayRate^step`.
 *
 * @throws {ArgumentError} if a value is negative
 * @example
 * await optim.exponentialDecay(0.1, 0.5)(3).item(); // ≈ 0.0125
 */
export function exponentialDecay(init: number, decayRate: number): Schedule {
  requireValues("exponentialDecay", fromZero, { init, decayRate });
  return (step) => multiply(power(decayRate, castTo(counted(step), "float32")), init);
}

/**
 * `init · decayRate^⌊step / stepSize⌋`.
 *
 * @throws {ArgumentError} if `stepSize` is less than 1, or a value negative
 * @example
 * const schedule = optim.stepDecay(0.1, 0.5, 10);
 * await schedule(9).item(); // ≈ 0.1
 * await schedule(20).item(); // ≈ 0.025
 */
export function stepDecay(init: number, decayRate: number, stepSize: number): Schedule {
  requireValues("stepDecay", fromZero, { init, decayRate });
  requireValues("stepDecay", duration, { stepSize });
  return (step) => multiply(power(decayRate, castTo(floorDivide(counted(step), stepSize), "float32")), init);
}

/**
 * From `init` along half a cosine to `end` (0 unless given) in `decaySteps` steps, `end` from then on. Source: Loshchilov &
 * Hutter 2017.
 *
 * @throws {ArgumentError} if `decaySteps` is less than 1, or a value negative
 * @example
 * const schedule = optim.cosineDecay(0.1, 100);
 * await schedule(array([0, 50, 100, 200])).tolist(); // ≈ [0.1, 0.05, 0, 0]
 */
export function cosineDecay(init: number, decaySteps: number, end = 0): Schedule {
  requireValues("cosineDecay", fromZero, { init, end });
  requireValues("cosineDecay", duration, { decaySteps });
  return (step) => {
    const angle = multiply(castTo(minimum(counted(step), decaySteps), "float32"), Math.PI / decaySteps);
    const share = multiply(add(cos(angle), 1), 0.5);
    return add(multiply(share, init - end), end);
  };
}

/**
 * From `init` along a line to `end` in `steps` steps, `end` from then on.
 *
 * @throws {ArgumentError} if `steps` is less than 1, or a value negative
 * @example
 * const warmup = optim.linearSchedule(0, 0.1, 10);
 * await warmup(array([0, 5, 10, 20])).tolist(); // ≈ [0, 0.05, 0.1, 0.1]
 */
export function linearSchedule(init: number, end: number, steps: number): Schedule {
  requireValues("linearSchedule", fromZero, { init, end });
  requireValues("linearSchedule", duration, { steps });
  return (step) => {
    const position = castTo(minimum(counted(step), steps), "float32");
    return add(multiply(position, (end - init) / steps), init);
  };
}

/**
 * One schedule after another: schedule k + 1 begins, counting from 0, at step `boundaries[k]`.
 *
 * @throws {ArgumentError} unless there is one boundary less than schedules, and boundaries ascend
 * @example
 * const warmup = optim.joinSchedules([optim.linearSchedule(0, 0.1, 10), optim.cosineDecay(0.1, 100)], [10]);
 * await warmup(5).item(); // ≈ 0.05
 */
export function joinSchedules(schedules: readonly Schedule[], boundaries: readonly number[]): Schedule {
  requireValues("joinSchedules", listOf(null, callable), { schedules });
  requireValues("joinSchedules", listOf(null, fromZero), { boundaries });
  const [first, ...rest] = schedules;
  if (!first || boundaries.length !== rest.length) {
    throw new ArgumentError(
      "joinSchedules",
      `${schedules.length} schedules need one boundary less, got ${boundaries.length}`,
    );
  }
  if (boundaries.some((boundary, k) => boundary < (boundaries[k - 1] ?? 0))) {
    throw new ArgumentError("joinSchedules", `boundaries ascend, got ${boundaries.join(", ")}`);
  }
  return (step) => {
    const position = counted(step);
    return rest.reduce((rate, schedule, k) => {
      const boundary = boundaries[k] ?? 0;
      return where(less(position, boundary), rate, schedule(subtract(position, boundary)));
    }, first(position));
  };
}

/** Steps as int32, in which they are counted down to negative numbers and compared at full speed. */
function counted(step: ArrayLike): MLXArray {
  return castTo(asArray("schedule", step), "int32");
}

/** For a number of steps that something takes. */
const duration: Rule = /* @__PURE__ */ numbers("a number of steps from 1", (value) => value >= 1);
