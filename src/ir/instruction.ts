/** The closed set of scalar instructions by name; their meanings are in `scalar-arithmetic.ts` and `big-arithmetic.ts`. */

/** Instructions on one operand that keep its type. */
export const unaryOps = [
  "neg",
  "abs",
  "sqrt",
  "rsqrt",
  "exp",
  "expm1",
  "log",
  "log1p",
  "log2",
  "log10",
  "sin",
  "cos",
  "tan",
  "asin",
  "acos",
  "atan",
  "sinh",
  "cosh",
  "tanh",
  "asinh",
  "acosh",
  "atanh",
  "erf",
  "erfinv",
  "sigmoid",
  "floor",
  "ceil",
  "round",
  "trunc",
  "not",
] as const;

/** Instructions on two operands of one type that keep it. `quotient` truncates; `remainder` has the divisor's sign; `min` and `max` pass NaN on. */
export const binaryOps = [
  "add",
  "sub",
  "mul",
  "div",
  "quotient",
  "remainder",
  "pow",
  "atan2",
  "min",
  "max",
  "and",
  "or",
  "xor",
  "shl",
  "shr",
] as const;

/** Comparisons of two operands of one type, giving bool. */
export const compareOps = ["eq", "ne", "lt", "le"] as const;

/** An instruction on one operand. */
export type UnaryOp = (typeof unaryOps)[number];
/** An instruction on two operands. */
export type BinaryOp = (typeof binaryOps)[number];
/** A comparison. */
export type CompareOp = (typeof compareOps)[number];
/** How a reduction combines elements; `argmax` and `argmin` give the flat position over the reduced axes, the first one on ties. */
export type ReduceOp = "sum" | "prod" | "max" | "min" | "argmax" | "argmin";
/** An instruction that its operands and its type say all about. */
export type PlainOp = "select" | "cast" | "bitcast" | UnaryOp | BinaryOp | CompareOp;

const comparisons: ReadonlySet<string> = new Set(compareOps);

/** Whether `op` is a comparison. */
export function isComparison(op: string): op is CompareOp {
  return comparisons.has(op);
}

/** Whether the instruction of an expression with these operands takes one. */
export function isUnary(_: UnaryOp | BinaryOp, operands: readonly unknown[]): _ is UnaryOp {
  return operands.length === 1;
}
