/** Scalar expressions: what one element of a kernel computes. Hash-consed per table, so equal subexpressions are one object. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating } from "../base/dtype.ts";
import { scalarText } from "../base/elements.ts";
import { MLXError } from "../base/errors.ts";
import { remembered } from "../base/remembered.ts";
import { affineOf, decide, rangeOf } from "./index-range.ts";
import type { BinaryOp, CompareOp, PlainOp, ReduceOp, UnaryOp } from "./instruction.ts";
import { isUnary } from "./instruction.ts";

/** A loop variable of a kernel, running from 0 to `length - 1`. */
export interface Axis {
  readonly id: number;
  readonly length: number;
}

/** How many points some axes have together. */
export function pointsOf(axes: Iterable<Axis>): number {
  let points = 1;
  for (const { length } of axes) points *= length;
  return points;
}

/** The type of an expression: an element type, or `index` for integer arithmetic on positions (it never overflows). */
export type ExprType = Dtype | "index";

/** The value of a constant: bigint for 64-bit integers, 0 or 1 for bool. */
export type ScalarValue = number | bigint;

interface Common {
  readonly id: number;
  readonly dtype: ExprType;
  readonly args: readonly Expr[];
}

/** One scalar expression. */
export type Expr =
  | (Common & { readonly op: "constant"; readonly value: ScalarValue })
  /** The `slot`-th lifted constant of the kernel. */
  | (Common & { readonly op: "argument"; readonly slot: number })
  | (Common & { readonly op: "axis"; readonly axis: Axis })
  /** `offset + Σ coefficients[i] · args[i]`, of type index. */
  | (Common & { readonly op: "affine"; readonly offset: number; readonly coefficients: readonly number[] })
  /** The element of buffer `slot` at flat position `args[0]`. */
  | (Common & { readonly op: "load"; readonly slot: number })
  /** `args[0]` combined over all values of `axes`. */
  | (Common & { readonly op: "reduce"; readonly reduceOp: ReduceOp; readonly axes: readonly Axis[] })
  /** In a select, `args[0] ? args[1] : args[2]`, both sides are computed: every load must be within its buffer. */
  | (Common & { readonly op: PlainOp });

/** Builds expressions; equal ones are built once. */
export class Expressions {
  readonly #known = new Map<string, Expr>();
  #next = 0;

  /** A constant of `dtype`; bool takes 0 or 1. */
  constant(value: ScalarValue | boolean, dtype: ExprType): Expr {
    const plain = typeof value === "boolean" ? Number(value) : value;
    const stored = dtype === "int64" || dtype === "uint64" ? BigInt(plain) : Number(plain);
    return this.#intern(`c${dtype}:${scalarText(stored)}`, (id) => ({
      id,
      op: "constant",
      dtype,
      args: [],
      value: stored,
    }));
  }

  /** A constant of the type of `x`. */
  like(x: Expr, value: ScalarValue): Expr {
    return this.constant(value, x.dtype);
  }

  /** An index constant. */
  index(value: number): Expr {
    return this.constant(value, "index");
  }

  argument(slot: number, dtype: Dtype): Expr {
    return this.#intern(`g${slot}`, (id) => ({ id, op: "argument", dtype, args: [], slot }));
  }

  axis(axis: Axis): Expr {
    if (axis.length === 1) return this.index(0);
    return this.#intern(`x${axis.id}:${axis.length}`, (id) => ({ id, op: "axis", dtype: "index", args: [], axis }));
  }

  load(slot: number, dtype: Dtype, position: Expr): Expr {
    return this.#intern(`l${slot}:${position.id}`, (id) => ({ id, op: "load", dtype, args: [position], slot }));
  }

  reduce(reduceOp: ReduceOp, dtype: Dtype, axes: readonly Axis[], operand: Expr): Expr {
    const key = `r${reduceOp}:${dtype}:${axes.map((axis) => axis.id).join()}:${operand.id}`;
    return this.#intern(key, (id) => ({ id, op: "reduce", dtype, args: [operand], reduceOp, axes }));
  }

  unary(op: UnaryOp, x: Expr): Expr {
    if (op === "neg" && x.op === "constant" && isFloating(elementType(x))) return this.like(x, -Number(x.value));
    return this.#plain(op, x.dtype, [x]);
  }

  binary(op: BinaryOp, a: Expr, b: Expr): Expr {
    if (a.dtype !== b.dtype) throw new MLXError(op, `expression types ${a.dtype} and ${b.dtype} differ`);
    if (a.dtype === "index") return this.#indexBinary(op, a, b);
    if (op === "mul") {
      if (isConstant(a, 1)) return b;
      if (isConstant(b, 1)) return a;
    }
    if ((op === "sub" || op === "div") && isConstant(b, op === "sub" ? 0 : 1)) return a;
    return this.#plain(op, a.dtype, [a, b]);
  }

  compare(op: CompareOp, a: Expr, b: Expr): Expr {
    if (a.dtype !== b.dtype) throw new MLXError(op, `expression types ${a.dtype} and ${b.dtype} differ`);
    if (a.dtype === "index") {
      const [lowA, highA] = rangeOf(a);
      const [lowB, highB] = rangeOf(b);
      const decided = decide(op, lowA, highA, lowB, highB);
      if (decided !== null) return this.constant(decided, "bool");
    }
    return this.#plain(op, "bool", [a, b]);
  }

  /** `condition ? a : b`. */
  select(condition: Expr, a: Expr, b: Expr): Expr {
    if (a === b) return a;
    if (condition.op === "constant") return condition.value ? a : b;
    return this.#plain("select", a.dtype, [condition, a, b]);
  }

  /** Numeric conversion; to bool it is `x != 0`, to an integer it truncates. */
  cast(x: Expr, dtype: ExprType): Expr {
    if (x.dtype === dtype) return x;
    if (dtype === "bool") return this.compare("ne", x, this.like(x, 0));
    if (x.op === "constant" && dtype === "index") return this.index(Number(x.value));
    return this.#plain("cast", dtype, [x]);
  }

  /** The same bits read as another type of the same size. */
  bitcast(x: Expr, dtype: Dtype): Expr {
    return x.dtype === dtype ? x : this.#plain("bitcast", dtype, [x]);
  }

  add(a: Expr, b: Expr): Expr {
    return this.binary("add", a, b);
  }
  sub(a: Expr, b: Expr): Expr {
    return this.binary("sub", a, b);
  }
  mul(a: Expr, b: Expr): Expr {
    return this.binary("mul", a, b);
  }
  div(a: Expr, b: Expr): Expr {
    return this.binary("div", a, b);
  }
  min(a: Expr, b: Expr): Expr {
    return this.binary("min", a, b);
  }
  max(a: Expr, b: Expr): Expr {
    return this.binary("max", a, b);
  }
  and(a: Expr, b: Expr): Expr {
    if (isConstant(a, 1) && a.dtype === "bool") return b;
    if (isConstant(b, 1) && b.dtype === "bool") return a;
    if (a.dtype === "bool" && (isConstant(a, 0) || isConstant(b, 0))) return this.constant(0, "bool");
    return this.binary("and", a, b);
  }
  or(a: Expr, b: Expr): Expr {
    return this.binary("or", a, b);
  }
  lt(a: Expr, b: Expr): Expr {
    return this.compare("lt", a, b);
  }
  le(a: Expr, b: Expr): Expr {
    return this.compare("le", a, b);
  }
  eq(a: Expr, b: Expr): Expr {
    return this.compare("eq", a, b);
  }
  ne(a: Expr, b: Expr): Expr {
    return this.compare("ne", a, b);
  }

  /** `a · factor + offset` on indices. */
  scale(a: Expr, factor: number, offset = 0): Expr {
    const form = affineOf(a);
    const terms = new Map<Expr, number>();
    for (const [atom, coefficient] of form.terms) terms.set(atom, coefficient * factor);
    return this.#affine(terms, form.offset * factor + offset);
  }

  /** Floor of `a / divisor` on indices; `divisor` is positive. */
  floorDivide(a: Expr, divisor: number): Expr {
    if (divisor === 1) return a;
    const form = affineOf(a);
    const whole = new Map<Expr, number>();
    const rest = new Map<Expr, number>();
    for (const [atom, coefficient] of form.terms) {
      const quotient = coefficient % divisor === 0 ? coefficient / divisor : 0;
      if (quotient !== 0) whole.set(atom, quotient);
      else rest.set(atom, coefficient);
    }
    const wholeOffset = Math.floor(form.offset / divisor);
    const remaining = this.#affine(rest, form.offset - wholeOffset * divisor);
    const [low, high] = rangeOf(remaining);
    const quotientLow = Math.floor(low / divisor);
    if (quotientLow === Math.floor(high / divisor)) return this.#affine(whole, wholeOffset + quotientLow);
    const parts = this.#digits(remaining, divisor);
    const atom = parts
      ? this.floorDivide(parts.high, divisor / parts.common)
      : remaining.op === "quotient" && remaining.args[1]?.op === "constant" && low >= 0
        ? this.floorDivide(argOf(remaining, 0), divisor * Number(remaining.args[1].value))
        : this.#plain("quotient", "index", [remaining, this.index(divisor)]);
    if (whole.size === 0 && wholeOffset === 0) return atom;
    return this.binary("add", this.#affine(whole, wholeOffset), atom);
  }

  /** `a` modulo `divisor` on indices, from 0 to `divisor - 1`. */
  floorModulo(a: Expr, divisor: number): Expr {
    if (divisor === 1) return this.index(0);
    const form = affineOf(a);
    const rest = new Map<Expr, number>();
    for (const [atom, coefficient] of form.terms) if (coefficient % divisor !== 0) rest.set(atom, coefficient);
    const offset = form.offset - Math.floor(form.offset / divisor) * divisor;
    const remaining = this.#affine(rest, offset);
    const [low, high] = rangeOf(remaining);
    const quotient = Math.floor(low / divisor);
    if (quotient === Math.floor(high / divisor)) return this.scale(remaining, 1, -quotient * divisor);
    const parts = this.#digits(remaining, divisor);
    if (parts)
      return this.add(this.scale(this.floorModulo(parts.high, divisor / parts.common), parts.common), parts.low);
    return this.#plain("remainder", "index", [remaining, this.index(divisor)]);
  }

  /** Flat row-major position of `index` in an array of `shape`. */
  ravel(index: readonly Expr[], shape: readonly number[]): Expr {
    let flat = this.index(0);
    shape.forEach((length, axis) => {
      flat = this.add(this.scale(flat, length), index[axis] ?? this.index(0));
    });
    return flat;
  }

  /** The index along each axis of `shape` of a flat row-major position. */
  unravel(flat: Expr, shape: readonly number[]): Expr[] {
    const index = new Array<Expr>(shape.length);
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] ?? 1;
      index[axis] = axis === 0 && rangeOf(rest)[1] < length ? rest : this.floorModulo(rest, Math.max(length, 1));
      rest = this.floorDivide(rest, Math.max(length, 1));
    }
    return index;
  }

  /** `root`, which may come from another table, with each axis in `replacements` replaced, rebuilt and simplified. */
  substitute(root: Expr, replacements: ReadonlyMap<number, Expr>, memo: Map<Expr, Expr> = new Map()): Expr {
    const visit = (expr: Expr): Expr => {
      const known = memo.get(expr);
      if (known) return known;
      const result = this.#rebuild(expr, visit, replacements);
      memo.set(expr, result);
      return result;
    };
    return visit(root);
  }

  #rebuild(expr: Expr, visit: (expr: Expr) => Expr, replacements: ReadonlyMap<number, Expr>): Expr {
    switch (expr.op) {
      case "constant":
        return this.constant(expr.value, expr.dtype);
      case "argument":
        return this.argument(expr.slot, elementType(expr));
      case "axis":
        return replacements.get(expr.axis.id) ?? this.axis(expr.axis);
      case "affine": {
        let sum = this.index(expr.offset);
        expr.args.forEach((arg, i) => {
          sum = this.add(sum, this.scale(visit(arg), expr.coefficients[i] ?? 0));
        });
        return sum;
      }
      case "load":
        return this.load(expr.slot, elementType(expr), visit(argOf(expr, 0)));
      case "reduce":
        return this.reduce(
          expr.reduceOp,
          elementType(expr),
          [...new Set(expr.axes.flatMap((axis) => renamed(axis, replacements)))],
          visit(argOf(expr, 0)),
        );
      case "select":
        return this.select(visit(argOf(expr, 0)), visit(argOf(expr, 1)), visit(argOf(expr, 2)));
      case "cast":
        return this.cast(visit(argOf(expr, 0)), expr.dtype);
      case "bitcast":
        return this.bitcast(visit(argOf(expr, 0)), elementType(expr));
      case "eq":
      case "ne":
      case "lt":
      case "le":
        return this.compare(expr.op, visit(argOf(expr, 0)), visit(argOf(expr, 1)));
      default: {
        const { op, args } = expr;
        const a = visit(argOf(expr, 0));
        return isUnary(op, args) ? this.#plain(op, expr.dtype, [a]) : this.binary(op, a, visit(argOf(expr, 1)));
      }
    }
  }

  #indexBinary(op: BinaryOp, a: Expr, b: Expr): Expr {
    switch (op) {
      case "add":
      case "sub": {
        const sign = op === "add" ? 1 : -1;
        const left = affineOf(a);
        const right = affineOf(b);
        const terms = new Map(left.terms);
        for (const [atom, coefficient] of right.terms) terms.set(atom, (terms.get(atom) ?? 0) + sign * coefficient);
        return this.#affine(terms, left.offset + sign * right.offset);
      }
      case "mul":
        if (b.op === "constant") return this.scale(a, Number(b.value));
        if (a.op === "constant") return this.scale(b, Number(a.value));
        return this.#plain(op, "index", [a, b]);
      case "quotient":
        if (b.op === "constant") return this.floorDivide(a, Number(b.value));
        return this.#plain(op, "index", [a, b]);
      case "remainder":
        if (b.op === "constant") return this.floorModulo(a, Number(b.value));
        return this.#plain(op, "index", [a, b]);
      case "min":
      case "max": {
        const [lowA, highA] = rangeOf(a);
        const [lowB, highB] = rangeOf(b);
        if (op === "min" ? highA <= lowB : lowA >= highB) return a;
        if (op === "min" ? highB <= lowA : lowB >= highA) return b;
        return this.#plain(op, "index", [a, b]);
      }
      default:
        throw new MLXError(op, "is no operation on indices");
    }
  }

  /** A sum of scaled atoms; (a div n)·n + (a mod n) becomes a. */
  #affine(terms: ReadonlyMap<Expr, number>, offset: number): Expr {
    const merged = new Map<Expr, number>();
    for (const [atom, coefficient] of terms) if (coefficient !== 0) merged.set(atom, coefficient);
    for (const [atom, coefficient] of merged) {
      if (atom.op !== "remainder" || atom.args[1]?.op !== "constant") continue;
      const divisor = Number(atom.args[1].value);
      const dividend = argOf(atom, 0);
      const quotient = this.floorDivide(dividend, divisor);
      if (merged.get(quotient) !== coefficient * divisor) continue;
      merged.delete(quotient);
      merged.delete(atom);
      const form = affineOf(dividend);
      for (const [inner, scale] of form.terms) merged.set(inner, (merged.get(inner) ?? 0) + scale * coefficient);
      return this.#affine(merged, offset + form.offset * coefficient);
    }
    if (merged.size === 0) return this.index(offset);
    const sorted = [...merged].sort(([a], [b]) => a.id - b.id);
    const [first] = sorted;
    if (sorted.length === 1 && offset === 0 && first && first[1] === 1) return first[0];
    const args = sorted.map(([atom]) => atom);
    const coefficients = sorted.map(([, coefficient]) => coefficient);
    const key = `a${offset}:${sorted.map(([atom, coefficient]) => `${coefficient}*${atom.id}`).join()}`;
    return this.#intern(key, (id) => ({ id, op: "affine", dtype: "index", args, offset, coefficients }));
  }

  /** `x = common · high + low` with 0 ≤ low < common, which divides the divisor: `low` then leaves the quotient alone. */
  #digits(x: Expr, divisor: number): { readonly common: number; readonly high: Expr; readonly low: Expr } | null {
    const { terms, offset } = affineOf(x);
    const factors = new Set(
      [...terms.values()].map((coefficient) => greatestCommonDivisor(divisor, Math.abs(coefficient))),
    );
    const all = [...factors].reduce(greatestCommonDivisor, divisor);
    for (const common of [...factors.add(all)].sort((a, b) => b - a)) {
      if (common === 1) continue;
      const [high, low] = [new Map<Expr, number>(), new Map<Expr, number>()];
      for (const [atom, coefficient] of terms) {
        if (coefficient % common === 0) high.set(atom, coefficient / common);
        else low.set(atom, coefficient);
      }
      const wholes = Math.floor(offset / common);
      const rest = this.#affine(low, offset - wholes * common);
      const [least, greatest] = rangeOf(rest);
      if (least >= 0 && greatest < common) return { common, high: this.#affine(high, wholes), low: rest };
    }
    return null;
  }

  #plain(op: PlainOp, dtype: ExprType, args: readonly Expr[]): Expr {
    const key = `${op}:${dtype}:${args.map((arg) => arg.id).join()}`;
    return this.#intern(key, (id) => ({ id, op, dtype, args }));
  }

  #intern(key: string, build: (id: number) => Expr): Expr {
    return remembered(this.#known, key, () => build(this.#next++));
  }
}

/** The `k`-th operand of `expr`. */
export function argOf(expr: Expr, k: number): Expr {
  const arg = expr.args[k];
  if (arg === undefined) throw new MLXError(expr.op, `has no operand ${k}`);
  return arg;
}

/** The element type of a data expression. */
export function elementType(expr: Expr): Dtype {
  if (expr.dtype === "index") throw new MLXError(expr.op, "is an index, not an element");
  return expr.dtype;
}

/** Whether `expr` is the constant `value`. */
export function isConstant(expr: Expr, value: number): boolean {
  return expr.op === "constant" && Object.is(Number(expr.value), value);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The axes that `axis` is replaced by: those of the expression that stands for it. */
function renamed(axis: Axis, replacements: ReadonlyMap<number, Expr>): Axis[] {
  const replacement = replacements.get(axis.id);
  return replacement ? axesIn(replacement) : [axis];
}

function axesIn(expr: Expr): Axis[] {
  return expr.op === "axis" ? [expr.axis] : expr.args.flatMap(axesIn);
}
