/** How a shader combines the elements of a reduction: the state it keeps, how states join, and what comes out. */

import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, integerLimits, isFloating, kindOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { Expr } from "../../ir/expr.ts";
import { argOf, elementType } from "../../ir/expr.ts";
import { castText } from "./wgsl-operations.ts";
import type { Shader } from "./wgsl-shader.ts";
import type { Lanes, RegisterType } from "./wgsl-types.ts";
import { literal, registerOf, typeName } from "./wgsl-types.ts";

/** A reduction as an expression. */
export type Reduction = Expr & { readonly op: "reduce" };

/** The reduction that `expr` is. */
export function requireReduction(expr: Expr): Reduction {
  if (expr.op !== "reduce") throw new MLXError("wgsl", `a loop reduces ${expr.op}, which is no reduction`);
  return expr;
}

/** The parts of a state: one value, or for positions a key that orders the elements, and a position. */
export type State = readonly string[];

/** One reduction's arithmetic. Bool is kept as 0 and 1; half floats are summed in float32. */
export class Reducer {
  readonly reduce: Reduction;
  /** The types of the parts of a state. */
  readonly parts: readonly RegisterType[];
  readonly isPosition: boolean;
  readonly #shader: Shader;
  readonly #dtype: Dtype;

  constructor(shader: Shader, expr: Expr) {
    this.reduce = requireReduction(expr);
    this.#shader = shader;
    this.isPosition = this.reduce.reduceOp === "argmax" || this.reduce.reduceOp === "argmin";
    this.#dtype = elementType(this.isPosition ? argOf(this.reduce, 0) : this.reduce);
    const register = registerOf(this.#dtype);
    this.parts = this.isPosition ? ["i32", "i32"] : [register === "bool" ? "u32" : register];
  }

  /** Whether the order of summation shows in the result. */
  get isRounded(): boolean {
    return this.reduce.reduceOp === "sum" && isFloating(this.#dtype);
  }

  /** The state before any element. */
  identity(lanes: Lanes): State {
    return this.#identity().map((text, k) => {
      const type = typeName(this.parts[k] ?? "i32", lanes);
      return lanes === 1 ? text : `${type}(${text})`;
    });
  }

  /** Variables that hold a state, before any element. */
  variables(lanes: Lanes): State {
    return this.identity(lanes).map((text, part) => {
      const name = this.#shader.name("a");
      this.#shader.line(`var ${name}: ${typeName(this.parts[part] ?? "f32", lanes)} = ${text};`);
      return name;
    });
  }

  /** Sets variables to a state. */
  assign(variables: State, state: State): void {
    state.forEach((text, part) => {
      this.#shader.line(`${variables[part]} = ${text};`);
    });
  }

  #identity(): State {
    // A key below all others, and a position behind all others.
    if (this.isPosition) return ["i32(-2147483648)", "2147483647i"];
    const { reduceOp } = this.reduce;
    if (reduceOp === "sum" || reduceOp === "prod") return [literal(this.#wide, reduceOp === "sum" ? 0 : 1)];
    const isGreatest = reduceOp === "max";
    if (isFloating(this.#dtype)) return [literal("float32", isGreatest ? -Infinity : Infinity)];
    if (this.#dtype === "bool") return [isGreatest ? "0u" : "1u"];
    const [low, high] = integerLimits(this.#dtype);
    return [literal(this.#wide, Number(isGreatest ? low : high))];
  }

  /** The type in which the state of anything but a position is kept. */
  get #wide(): Dtype {
    if (isFloating(this.#dtype)) return "float32";
    return kindOf(this.#dtype) === "signed" ? "int32" : "uint32";
  }

  /** The state of a single element; `position` counts over the reduced axes. */
  take(operand: string, position: () => string, lanes: Lanes): State {
    if (!this.isPosition) {
      if (this.#dtype !== "bool") return [operand];
      const words = typeName("u32", lanes);
      return [`select(${words}(0u), ${words}(1u), ${operand})`];
    }
    return [this.#shader.let("k", this.#key(operand, lanes)), position()];
  }

  /** An i32 that is the greater the better the element is. */
  #key(operand: string, lanes: Lanes): string {
    const isGreatest = this.reduce.reduceOp === "argmax";
    const whole = typeName("i32", lanes);
    const turned = (key: string): string => (isGreatest ? key : `~${key}`);
    switch (registerOf(this.#dtype)) {
      case "f32":
        return this.#shader.call(isGreatest ? "greatest_key" : "least_key", lanes, operand);
      case "bool":
        return turned(`select(${whole}(0), ${whole}(1), ${operand})`);
      case "u32":
        return turned(`bitcast<${whole}>(${operand} ^ ${typeName("u32", lanes)}(0x80000000u))`);
      case "i32":
        return turned(operand);
    }
  }

  /** The state of both together. Names may be used twice in it. */
  combine(a: State, b: State, lanes: Lanes): State {
    const [x = "", p = ""] = a;
    const [y = "", q = ""] = b;
    switch (this.reduce.reduceOp) {
      case "sum":
        return [`${x} + ${y}`];
      case "prod":
        return [`${x} * ${y}`];
      case "max":
      case "min":
        return [
          isFloating(this.#dtype)
            ? this.#shader.call(`${this.reduce.reduceOp}_of`, lanes, x, y)
            : `${this.reduce.reduceOp}(${x}, ${y})`,
        ];
      default: {
        const better = this.#shader.let("b", `(${y} > ${x}) | ((${y} == ${x}) & (${q} < ${p}))`);
        return [`select(${x}, ${y}, ${better})`, `select(${p}, ${q}, ${better})`];
      }
    }
  }

  /** The state of the four lanes together; `names` are names. */
  joinLanes(names: State): State {
    const [x, y, z, w] = ["x", "y", "z", "w"].map((lane) => names.map((name) => `${name}.${lane}`));
    if (!x || !y || !z || !w) return names;
    const pair = (a: State, b: State): State => this.combine(a, b, 1).map((text) => this.#shader.let("s", text));
    return pair(pair(x, y), pair(z, w));
  }

  /** The result, in the register type of the reduction. */
  finish(state: State, lanes: Lanes): string {
    const dtype = elementType(this.reduce);
    const [value = "", position = ""] = state;
    if (this.isPosition) return castText(this.#shader, "int32", dtype, position, lanes);
    if (dtype === "bool") return `${value} != ${typeName("u32", lanes)}(0u)`;
    if (isFloating(dtype) || byteLengthOf(dtype) === 4) return value;
    return castText(this.#shader, this.#wide, dtype, value, lanes);
  }
}
