/** What the operators and names of an expression template mean, for arrays and for number literals. */
import { DtypeError } from "../base/errors.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, negative, square, subtract } from "../primitives/arithmetic.ts";
import { equal, greater, greaterEqual, less, lessEqual, notEqual } from "../primitives/comparison.ts";
import { matmul } from "../primitives/contraction.ts";
import { floorDivide, remainder } from "../primitives/division.ts";
import { erf, exp, expm1, log, log1p, log2, log10, power, rsqrt, sigmoid, sqrt } from "../primitives/exponential.ts";
import {
  bitwiseAnd,
  bitwiseInvert,
  bitwiseOr,
  bitwiseXor,
  leftShift,
  logicalNot,
  rightShift,
} from "../primitives/logical.ts";
import { abs, maximum, minimum, sign } from "../primitives/magnitude.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { ceil, floor, round } from "../primitives/rounding.ts";
import { where } from "../primitives/selection.ts";
import { cos, sin, tan, tanh } from "../primitives/trigonometry.ts";
import type { LiteralRule } from "./expression-literals.ts";
import {
  addLiterals,
  bitwiseLiterals,
  divideLiterals,
  floorDivideLiterals,
  invertLiteral,
  multiplyLiterals,
  negateLiteral,
  powerLiterals,
  remainderLiterals,
  subtractLiterals,
} from "./expression-literals.ts";

/** A binary operator: how tightly it binds, and what it gives. */
export interface BinaryOperator {
  /** The greater binds tighter; operators of one strength group from the left. */
  readonly strength: number;
  readonly isComparison: boolean;
  readonly arrays: (a: ArrayLike, b: ArrayLike) => MLXArray;
  readonly literals: LiteralRule;
}

function row(strength: number, arrays: BinaryOperator["arrays"], literals: LiteralRule): BinaryOperator {
  return { strength, isComparison: strength === 0, arrays, literals };
}

function refuseProduct(): never {
  throw new DtypeError("expr", "@ multiplies matrices, and both its operands are numbers; use * for them");
}

/** The operators between two operands, except for the power. */
export const binaryOperators: ReadonlyMap<string, BinaryOperator> = /* @__PURE__ */ new Map([
  ["<", row(0, less, (a, b) => a < b)],
  ["<=", row(0, lessEqual, (a, b) => a <= b)],
  [">", row(0, greater, (a, b) => a > b)],
  [">=", row(0, greaterEqual, (a, b) => a >= b)],
  ["==", row(0, equal, (a, b) => Number(a) === Number(b))],
  ["!=", row(0, notEqual, (a, b) => Number(a) !== Number(b))],
  [
    "|",
    row(
      1,
      bitwiseOr,
      bitwiseLiterals("|", (a, b) => a | b),
    ),
  ],
  [
    "^",
    row(
      2,
      bitwiseXor,
      bitwiseLiterals("^", (a, b) => a ^ b),
    ),
  ],
  [
    "&",
    row(
      3,
      bitwiseAnd,
      bitwiseLiterals("&", (a, b) => a & b),
    ),
  ],
  [
    "<<",
    row(
      4,
      leftShift,
      bitwiseLiterals("<<", (a, b) => a << b),
    ),
  ],
  [
    ">>",
    row(
      4,
      rightShift,
      bitwiseLiterals(">>", (a, b) => a >> b),
    ),
  ],
  ["+", row(5, add, addLiterals)],
  ["-", row(5, subtract, subtractLiterals)],
  ["*", row(6, multiply, multiplyLiterals)],
  ["/", row(6, divide, divideLiterals)],
  ["//", row(6, floorDivide, floorDivideLiterals)],
  ["%", row(6, remainder, remainderLiterals)],
  ["@", row(6, matmul, refuseProduct)],
]);

/** The power: it binds tighter than a sign on its left, and groups from the right. */
export const powerOperator: BinaryOperator = /* @__PURE__ */ row(7, power, powerLiterals);

/** What a binary operator gives. */
export function applyBinary(operator: BinaryOperator, a: ArrayLike, b: ArrayLike): ArrayLike {
  return isLiteral(a) && isLiteral(b) ? operator.literals(a, b) : operator.arrays(a, b);
}

/** The negative of an operand. */
export function applyNegative(x: ArrayLike): ArrayLike {
  return isLiteral(x) ? negateLiteral(x) : negative(x);
}

/** `~x`: the logical opposite of booleans, all bits inverted of integers. */
export function applyInvert(x: ArrayLike): ArrayLike {
  if (isLiteral(x)) return invertLiteral(x);
  return x instanceof MLXArray && x.dtype === "bool" ? logicalNot(x) : bitwiseInvert(x);
}

function isLiteral(value: ArrayLike): value is number | bigint | boolean {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";
}

/** The numbers that may be named in a formula. */
export const namedNumbers: ReadonlyMap<string, number> = /* @__PURE__ */ new Map([
  ["pi", Math.PI],
  ["e", Math.E],
  ["inf", Number.POSITIVE_INFINITY],
  ["nan", Number.NaN],
]);

/** A function that may be named in a formula. */
export interface NamedFunction {
  readonly arity: number;
  readonly call: (...operands: readonly ArrayLike[]) => MLXArray;
}

function unary(call: (x: ArrayLike) => MLXArray): NamedFunction {
  return { arity: 1, call: (x = 0) => call(x) };
}

function binary(call: (a: ArrayLike, b: ArrayLike) => MLXArray): NamedFunction {
  return { arity: 2, call: (a = 0, b = 0) => call(a, b) };
}

/** The functions that may be named in a formula: the elementwise ones. */
export const namedFunctions: ReadonlyMap<string, NamedFunction> = /* @__PURE__ */ new Map([
  ["abs", unary(abs)],
  ["sign", unary(sign)],
  ["square", unary(square)],
  ["sqrt", unary(sqrt)],
  ["rsqrt", unary(rsqrt)],
  ["exp", unary(exp)],
  ["expm1", unary(expm1)],
  ["log", unary(log)],
  ["log1p", unary(log1p)],
  ["log2", unary(log2)],
  ["log10", unary(log10)],
  ["sin", unary(sin)],
  ["cos", unary(cos)],
  ["tan", unary(tan)],
  ["tanh", unary(tanh)],
  ["sigmoid", unary(sigmoid)],
  ["erf", unary(erf)],
  ["floor", unary(floor)],
  ["ceil", unary(ceil)],
  ["round", unary((x) => round(x))],
  ["maximum", binary(maximum)],
  ["minimum", binary(minimum)],
  ["where", { arity: 3, call: (condition = 0, a = 0, b = 0) => where(condition, a, b) }],
]);
