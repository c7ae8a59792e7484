/** How the elements of a scan combine: each as a state of one or two values, and states that join from left to right. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating, isHalf, kindOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { RoutineShader } from "./routine-shader.ts";
import { castText } from "./wgsl-operations.ts";
import type { RegisterType } from "./wgsl-types.ts";
import { registerOf } from "./wgsl-types.ts";

/** The parts of a state: texts, names where they are used more than once. */
export type ScanState = readonly string[];

/** What a scan does to its elements. */
export interface ScanOperation {
  /** The type of each part of a state. */
  readonly parts: readonly RegisterType[];
  /** The state of the element at flat position `at`, a name; `isFirst` is a condition. */
  read(routine: RoutineShader, at: string, isFirst: string): ScanState;
  /** The state of everything `a` stands for, followed by what `b` does; both are names. */
  combine(routine: RoutineShader, a: ScanState, b: ScanState): ScanState;
  /** The result, in registers of the output. */
  finish(routine: RoutineShader, state: ScanState): string;
}

/** Cumulative sums, products, extrema and logarithms of sums of exponentials of elements of `dtype` in slot 0. */
export function cumulative(op: string, dtype: Dtype): ScanOperation {
  const isBool = dtype === "bool";
  const register = registerOf(dtype);
  const part = isBool ? "u32" : register;
  return {
    parts: [part],
    read({ shader, memory }, at) {
      const x = memory.load(0, at);
      return [shader.let("x", isBool ? `select(0u, 1u, ${x})` : x)];
    },
    combine: (routine, [a = ""], [b = ""]) => [combined(routine, op, dtype, a, b)],
    finish: ({ shader }, [state = ""]) => {
      if (isBool) return `${state} != 0u`;
      if (!isHalf(dtype) && (isFloating(dtype) || byteLengthOf(dtype) === 4)) return state;
      const wide = isHalf(dtype) ? "float32" : kindOf(dtype) === "signed" ? "int32" : "uint32";
      return castText(shader, wide, dtype, state, 1);
    },
  };
}

function combined({ shader }: RoutineShader, op: string, dtype: Dtype, a: string, b: string): string {
  const isFloat = isFloating(dtype);
  switch (op) {
    case "sum":
      return dtype === "bool" ? `${a} | ${b}` : `${a} + ${b}`;
    case "product":
      return `${a} * ${b}`;
    case "maximum":
      return isFloat ? shader.call("max_of", 1, a, b) : `max(${a}, ${b})`;
    case "minimum":
      return isFloat ? shader.call("min_of", 1, a, b) : `min(${a}, ${b})`;
    case "logSumExp":
      return shader.call("log_sum_exp", 1, a, b);
    default:
      throw new MLXError("scan", `knows no ${op}`);
  }
}

/** y[i] = a[i] · y[i - 1] + b[i] for a in slot 0 and b in slot 1: states are maps of y, a factor and what is added. */
export function linearRecurrence(dtype: Dtype): ScanOperation {
  const register = registerOf(dtype);
  const isFloat = register === "f32";
  return {
    parts: [register, register],
    read({ shader, memory }, at, isFirst) {
      // Nothing comes before the first element.
      return [
        shader.let("a", `select(${memory.load(0, at)}, ${register}(0), ${isFirst})`),
        shader.let("b", memory.load(1, at)),
      ];
    },
    combine: (_, [a = "", b = ""], [c = "", d = ""]) => {
      // A factor that overflowed has nothing to multiply where the sum so far is 0.
      const scaled = isFloat ? `select(${c} * ${b}, 0f, ${b} == 0f)` : `${c} * ${b}`;
      return [`${a} * ${c}`, `${scaled} + ${d}`];
    },
    finish: ({ shader }, [, sum = ""]) => {
      if (!isHalf(dtype) && (isFloat || byteLengthOf(dtype) === 4)) return sum;
      const wide = isFloat ? "float32" : register === "i32" ? "int32" : "uint32";
      return castText(shader, wide, dtype, sum, 1);
    },
  };
}
