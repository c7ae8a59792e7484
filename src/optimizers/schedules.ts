/** Schedules: learning rates as functions of the step. */
import { ArgumentError } from "../base/errors.ts";
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

/** The learning rate at a step, counted from 0: a scalar array. */
export type Schedule = (step: ArrayLike) => MLXArray;

/**
 * `init · decayRate^step`.
 *
 * @example
 * await optim.exponentialDecay(0.1, 0.5)(3).item(); // ≈ 0.0125
 */
export function exponentialDecay(init: number, decayRate: number): Schedule {
  return (step) => multiply(power(decayRate, castTo(counted(step), "float32")), init);
}

/** `init · decayRate^⌊step / stepSize⌋`. @throws {ArgumentError} if `stepSize` is less than 1 */
export function stepDecay(init: number, decayRate: number, stepSize: number): Schedule {
  requireSteps("stepDecay", stepSize);
  return (step) => multiply(power(decayRate, castTo(floorDivide(counted(step), stepSize), "float32")), init);
}

/**
 * From `init` along half a cosine to `end` (0 unless given) in `decaySteps` steps, `end` from then on. Source: Loshchilov &
 * Hutter 2017.
 *
 * @throws {ArgumentError} if `decaySteps` is less than 1
 */
export function cosineDecay(init: number, decaySteps: number, end = 0): Schedule {
  requireSteps("cosineDecay", decaySteps);
  return (step) => {
    const angle = multiply(castTo(minimum(counted(step), decaySteps), "float32"), Math.PI / decaySteps);
    const share = multiply(add(cos(angle), 1), 0.5);
    return add(multiply(share, init - end), end);
  };
}

/** From `init` along a line to `end` in `steps` steps, `end` from then on. @throws {ArgumentError} if `steps` is less than 1 */
export function linearSchedule(init: number, end: number, steps: number): Schedule {
  requireSteps("linearSchedule", steps);
  return (step) => {
    const position = castTo(minimum(counted(step), steps), "float32");
    return add(multiply(position, (end - init) / steps), init);
  };
}

/**
 * One schedule after another: schedule k + 1 begins, counting from 0, at step `boundaries[k]`.
 *
 * @throws {ArgumentError} unless there is one boundary less than schedules
 * @example
 * const warmup = optim.joinSchedules([optim.linearSchedule(0, 0.1, 10), optim.cosineDecay(0.1, 100)], [10]);
 * await warmup(5).item(); // ≈ 0.05
 */
export function joinSchedules(schedules: readonly Schedule[], boundaries: readonly number[]): Schedule {
  const [first, ...rest] = schedules;
  if (!first || boundaries.length !== rest.length) {
    throw new ArgumentError(
      "joinSchedules",
      `${schedules.length} schedules need one boundary less, got ${boundaries.length}`,
    );
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

function requireSteps(operation: string, steps: number): void {
  if (!(steps >= 1)) throw new ArgumentError(operation, `needs at least 1 step, got ${steps}`);
}
