/** Arithmetic between number literals as Python has it, so that `2 * 3` in an expression stays weak. Knows no arrays. */
import { ArgumentError, DtypeError } from "../base/errors.ts";

/** A number literal, or a number that was interpolated. */
export type Literal = number | bigint | boolean;

/** What a binary operator gives for two literals. */
export type LiteralRule = (a: Literal, b: Literal) => Literal;

/** The sum of two literals. */
export const addLiterals: LiteralRule = (a, b) => bothWhole(a, b, (x, y) => x + y) ?? Number(a) + Number(b);

/** The difference of two literals. */
export const subtractLiterals: LiteralRule = (a, b) => bothWhole(a, b, (x, y) => x - y) ?? Number(a) - Number(b);

/** The product of two literals. */
export const multiplyLiterals: LiteralRule = (a, b) => bothWhole(a, b, (x, y) => x * y) ?? Number(a) * Number(b);

/** The quotient of two literals. */
export const divideLiterals: LiteralRule = (a, b) => Number(a) / Number(b);

/** The quotient of two literals, rounded down. */
export const floorDivideLiterals: LiteralRule = (a, b) => {
  refuseZero(b);
  return bothWhole(a, b, (x, y) => (x - floorRemainder(x, y)) / y) ?? Math.floor(Number(a) / Number(b));
};

/** What a division that rounds down leaves; it has the divisor's sign. */
export const remainderLiterals: LiteralRule = (a, b) => {
  refuseZero(b);
  return bothWhole(a, b, floorRemainder) ?? Number(a) - Number(b) * Math.floor(Number(a) / Number(b));
};

/** One literal to the power of another. */
export const powerLiterals: LiteralRule = (a, b) => {
  const isExact = (typeof a === "bigint" || typeof b === "bigint") && Number(b) >= 0;
  return (isExact ? bothWhole(a, b, (x, y) => x ** y) : null) ?? Number(a) ** Number(b);
};

/** A rule for whole numbers, or booleans, that throws for any other. */
export function bitwiseLiterals(operator: string, rule: (a: bigint, b: bigint) => bigint): LiteralRule {
  return (a, b) => {
    const result = rule(wholeOf(operator, a), wholeOf(operator, b));
    if (typeof a === "boolean" && typeof b === "boolean" && "&|^".includes(operator)) return result !== 0n;
    return typeof a === "bigint" || typeof b === "bigint" ? result : Number(result);
  };
}

/** The negative of a literal. */
export function negateLiteral(value: Literal): Literal {
  return typeof value === "boolean" ? -Number(value) : -value;
}

/** All bits of a whole literal inverted; for a boolean the other one. */
export function invertLiteral(value: Literal): Literal {
  if (typeof value === "boolean") return !value;
  const result = ~wholeOf("~", value);
  return typeof value === "bigint" ? result : Number(result);
}

/** The result of `rule` if a bigint meets a bigint or a whole number; null for any other pair. */
function bothWhole(a: Literal, b: Literal, rule: (a: bigint, b: bigint) => bigint): bigint | null {
  if (typeof a !== "bigint" && typeof b !== "bigint") return null;
  const isWhole = [a, b].every((value) => typeof value !== "number" || Number.isInteger(value));
  return isWhole ? rule(BigInt(a), BigInt(b)) : null;
}

function floorRemainder(a: bigint, b: bigint): bigint {
  return ((a % b) + b) % b;
}

function refuseZero(divisor: Literal): void {
  if (Number(divisor) === 0) throw new ArgumentError("expr", "a number literal is divided by zero");
}

function wholeOf(operator: string, value: Literal): bigint {
  if (typeof value !== "number" || Number.isInteger(value)) return BigInt(value);
  throw new DtypeError("expr", `${operator} is for whole numbers and booleans, got ${value}`);
}
