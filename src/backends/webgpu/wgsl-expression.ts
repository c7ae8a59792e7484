/** Writes the expressions of kernels as WGSL: for one element, or for four neighbours along an axis in a vector. */
import { isHalf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { Axis, Expr } from "../../ir/expr.ts";
import { argOf, elementType } from "../../ir/expr.ts";
import type { Affine } from "../../ir/index-range.ts";
import { affineOf, rangeOf } from "../../ir/index-range.ts";
import type { PlainOp } from "../../ir/instruction.ts";
import { isUnary } from "../../ir/instruction.ts";
import type { ShaderMemory } from "./wgsl-memory.ts";
import { binaryText, bitcastText, castText, compareText, unaryText } from "./wgsl-operations.ts";
import type { Shader } from "./wgsl-shader.ts";
import type { Lanes, WgslValue } from "./wgsl-types.ts";
import { literal, registerOf, typeName, widened } from "./wgsl-types.ts";

/** Names that hold within one block of the shader. */
interface Scope {
  readonly values: Map<Expr, WgslValue>;
  readonly axes: Map<number, string>;
}

/**
 * Each expression becomes a `let` in the innermost open block, once: asked for again there or further inside, it is the
 * same name.
 */
export class WgslEmitter {
  readonly shader: Shader;
  readonly memory: ShaderMemory;
  readonly #scopes: Scope[] = [{ values: new Map(), axes: new Map() }];
  /** The axis of length four along which values are vectors. */
  #laneAxis: Axis | null = null;
  /** Which expressions differ from lane to lane, as far as it has been asked. */
  readonly #variation = new Map<Expr, boolean>();

  constructor(shader: Shader, memory: ShaderMemory) {
    this.shader = shader;
    this.memory = memory;
  }

  /** A block `header { … }` with its own names. */
  block(header: string, body: () => void): void {
    this.#scopes.push({ values: new Map(), axes: new Map() });
    this.shader.block(header, body);
    this.#scopes.pop();
    this.#variation.clear();
  }

  /** Makes `text`, an i32, the position along `axis` within this block. */
  bindAxis(axis: Axis, text: string): void {
    this.#scope.axes.set(axis.id, text);
  }

  /** Makes `axis`, of length four, the one along which values are vectors, while `body` runs. */
  withLanes(axis: Axis | null, body: () => void): void {
    const outer = this.#laneAxis;
    this.#laneAxis = axis;
    this.#variation.clear();
    body();
    this.#laneAxis = outer;
    this.#variation.clear();
  }

  /** Makes `value` that of `expr` (a finished reduction, say) within this block. */
  bindValue(expr: Expr, value: WgslValue): void {
    this.#scope.values.set(expr, value);
    this.#variation.clear();
  }

  /** The value of `expr`: a vector if it varies along the lane axis. */
  value(expr: Expr): WgslValue {
    const known = this.#known(expr);
    if (known) return known;
    const value = this.#compute(expr);
    this.#scope.values.set(expr, value);
    return value;
  }

  /** The text of `expr` in so many lanes. */
  text(expr: Expr, lanes: Lanes): string {
    return widened(this.value(expr), registerOf(expr.dtype), lanes);
  }

  /** Writes `result` to position `index` of `slot`, once for every lane if any of the two varies. */
  store(slot: number, index: Expr, result: Expr): void {
    const { shader, memory } = this;
    const value = unrounded(result);
    if (!this.varies(index) && !this.varies(value)) {
      shader.line(memory.store(slot, this.text(index, 1), this.text(value, 1)));
      return;
    }
    const text = this.text(value, 4);
    const first = this.#firstOf(index);
    if (first?.isMultipleOfFour) {
      shader.line(memory.storeFour(slot, first.text, text));
      return;
    }
    const name = this.varies(value) ? text : shader.let("v", text);
    this.#positions(index, first).forEach((position, lane) => {
      shader.line(memory.store(slot, position, `${name}[${lane}]`));
    });
  }

  /** Whether `expr` differs from lane to lane. */
  varies(expr: Expr): boolean {
    const known = this.#variation.get(expr);
    if (known !== undefined) return known;
    const result =
      expr.op === "axis"
        ? expr.axis.id === this.#laneAxis?.id
        : this.#known(expr)?.lanes === 4 || (expr.op !== "reduce" && expr.args.some((arg) => this.varies(arg)));
    this.#variation.set(expr, result);
    return result;
  }

  /** Computes whatever parts of `roots` are known before a loop opens, so that it is not computed again in each round. */
  hoist(roots: readonly Expr[]): void {
    const seen = new Set<Expr>();
    const available = new Map<Expr, boolean>();
    const visit = (expr: Expr): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      if (this.#isAvailable(expr, available)) {
        if (expr.args.length > 0) this.value(expr);
      } else if (expr.op !== "reduce") for (const arg of expr.args) visit(arg);
    };
    for (const root of roots) visit(root);
  }

  /** Whether all that `expr` depends on has a value here. */
  #isAvailable(expr: Expr, memo: Map<Expr, boolean>): boolean {
    const known = memo.get(expr);
    if (known !== undefined) return known;
    const result =
      this.#known(expr) !== null ||
      (expr.op === "axis"
        ? this.#axisText(expr.axis) !== null
        : expr.op !== "reduce" && expr.args.every((arg) => this.#isAvailable(arg, memo)));
    memo.set(expr, result);
    return result;
  }

  #known(expr: Expr): WgslValue | null {
    for (let k = this.#scopes.length - 1; k >= 0; k--) {
      const known = this.#scopes[k]?.values.get(expr);
      if (known) return known;
    }
    return null;
  }

  #axisText(axis: Axis): string | null {
    if (axis.id === this.#laneAxis?.id) return "vec4i(0, 1, 2, 3)";
    for (let k = this.#scopes.length - 1; k >= 0; k--) {
      const text = this.#scopes[k]?.axes.get(axis.id);
      if (text !== undefined) return text;
    }
    return null;
  }

  get #scope(): Scope {
    const scope = this.#scopes.at(-1);
    if (!scope) throw new MLXError("wgsl", "every block has been left");
    return scope;
  }

  #compute(expr: Expr): WgslValue {
    switch (expr.op) {
      case "constant":
        return { text: literal(expr.dtype, expr.value), lanes: 1 };
      case "argument":
        return { text: this.memory.argument(expr.slot, elementType(expr)), lanes: 1 };
      case "axis":
        return this.#axis(expr.axis);
      case "affine":
        return this.#named("p", this.#affineText(affineOf(expr)), this.varies(expr) ? 4 : 1);
      case "load":
        return this.#load(expr.slot, expr);
      case "reduce":
        throw new MLXError("wgsl", "a reduction is used before its loop is done");
      default:
        return this.#operation(expr, expr.op);
    }
  }

  #operation(expr: Expr, op: PlainOp): WgslValue {
    const { shader } = this;
    const lanes = this.varies(expr) ? 4 : 1;
    const [a = "", b = "", c = ""] = expr.args.map((arg) => this.text(arg, lanes));
    const source = argOf(expr, 0).dtype;
    const prefix = expr.dtype === "index" ? "p" : "v";
    switch (op) {
      case "select":
        return this.#named(prefix, `select(${c}, ${b}, ${this.#condition(expr, a, lanes)})`, lanes);
      case "cast":
        return this.#named(prefix, this.#castFrom(expr, source, a, lanes), lanes);
      case "bitcast":
        return this.#named(
          prefix,
          bitcastText(shader, elementType(argOf(expr, 0)), elementType(expr), a, lanes),
          lanes,
        );
      case "eq":
      case "ne":
      case "lt":
      case "le":
        return this.#named(prefix, compareText(shader, op, source, a, b, lanes), lanes);
      default:
        if (expr.dtype === "index" && (op === "quotient" || op === "remainder"))
          return this.#named(prefix, this.#division(op, argOf(expr, 0), argOf(expr, 1), a, b, lanes), lanes);
        return this.#named(
          prefix,
          isUnary(op, expr.args)
            ? unaryText(shader, op, expr.dtype, a, lanes)
            : binaryText(shader, op, expr.dtype, a, b, lanes),
          lanes,
        );
    }
  }

  /**
   * The condition of a `select`. The lesser or greater of two floats is not left to `a < b` alone: drivers make `min` and `max`
   * of that, which pass a NaN over where the comparison would choose it.
   */
  #condition(expr: Expr, text: string, lanes: Lanes): string {
    const [comparison, ...choices] = expr.args;
    if (!comparison || (comparison.op !== "lt" && comparison.op !== "le")) return text;
    const isExtreme = comparison.args.every((arg) => choices.includes(arg));
    if (!isExtreme || registerOf(expr.dtype) !== "f32") return text;
    const tests = choices.map((choice) => ` & !${this.shader.call("is_nan", lanes, this.text(choice, lanes))}`);
    return `${text}${tests.join("")}`;
  }

  #castFrom(expr: Expr, source: Expr["dtype"], text: string, lanes: Lanes): string {
    if (source === "bool") {
      const name = typeName(registerOf(expr.dtype), lanes);
      return `select(${name}(0), ${name}(1), ${text})`;
    }
    return castText(this.shader, source, expr.dtype, text, lanes);
  }

  #axis(axis: Axis): WgslValue {
    const text = this.#axisText(axis);
    if (text === null) throw new MLXError("wgsl", `the axis ${axis.id} has no position here`);
    return { text, lanes: axis.id === this.#laneAxis?.id ? 4 : 1 };
  }

  #named(prefix: string, text: string, lanes: Lanes): WgslValue {
    return { text: this.shader.let(prefix, text), lanes };
  }

  /** `offset + Σ coefficient · atom`; a number and a vector add up to a vector. */
  #affineText({ terms, offset }: Affine): string {
    const parts = [...terms].map(([atom, coefficient]) => {
      const { text } = this.value(atom);
      return coefficient === 1 ? text : coefficient === -1 ? `-${text}` : `${text} * ${coefficient}`;
    });
    if (offset !== 0 || parts.length === 0) parts.push(`${offset}`);
    return parts.join(" + ").replaceAll("+ -", "- ");
  }

  /** Floor of a quotient, or its remainder; unsigned where nothing is negative, as that is faster. */
  #division(op: "quotient" | "remainder", dividend: Expr, divisor: Expr, a: string, b: string, lanes: Lanes): string {
    const sign = op === "quotient" ? "/" : "%";
    if (divisor.op === "constant" && rangeOf(dividend)[0] >= 0) {
      const [words, whole] = [typeName("u32", lanes), typeName("i32", lanes)];
      return `${whole}(${words}(${a}) ${sign} ${words}(${divisor.value}u))`;
    }
    return this.shader.call(op === "quotient" ? "floor_quotient" : "floor_remainder", lanes, a, b);
  }

  #load(slot: number, expr: Expr): WgslValue {
    const index = argOf(expr, 0);
    const { memory } = this;
    if (!this.varies(index)) return this.#named("v", memory.load(slot, this.text(index, 1)), 1);
    const first = this.#firstOf(index);
    if (first?.isMultipleOfFour) return this.#named("v", memory.loadFour(slot, first.text), 4);
    const loads = this.#positions(index, first).map((position) => memory.load(slot, position));
    return this.#named("v", `${typeName(registerOf(expr.dtype), 4)}(${loads.join(", ")})`, 4);
  }

  /** The position of each lane. */
  #positions(index: Expr, first: FirstLane | null): readonly string[] {
    const base = first ? this.shader.let("p", first.text) : this.text(index, 4);
    return [0, 1, 2, 3].map((lane) => (first ? (lane === 0 ? base : `${base} + ${lane}`) : `${base}[${lane}]`));
  }

  /** The position of the first lane, if the others follow it one by one. */
  #firstOf(index: Expr): FirstLane | null {
    const { terms, offset } = affineOf(index);
    const rest = new Map<Expr, number>();
    let step = 0;
    for (const [atom, coefficient] of terms) {
      if (atom.op === "axis" && atom.axis.id === this.#laneAxis?.id) step = coefficient;
      else if (this.varies(atom)) return null;
      else rest.set(atom, coefficient);
    }
    if (step !== 1) return null;
    const isMultipleOfFour = offset % 4 === 0 && [...rest.values()].every((coefficient) => coefficient % 4 === 0);
    return { text: this.#affineText({ terms: rest, offset }), isMultipleOfFour };
  }
}

/** Where the first of four neighbouring lanes lies. */
interface FirstLane {
  readonly text: string;
  readonly isMultipleOfFour: boolean;
}

/** What a store rounds to the half float that `expr` is: the float32 that it was converted from, if it was. */
function unrounded(expr: Expr): Expr {
  const [source] = expr.args;
  return expr.op === "cast" && expr.dtype !== "index" && isHalf(expr.dtype) && source?.dtype === "float32"
    ? source
    : expr;
}
