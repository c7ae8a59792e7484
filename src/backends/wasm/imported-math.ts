/** What kernels may import besides the functions of `Math`: each is self-contained, because workers get it as text. */

/** x to the power y as C99 has it: a base of 1 gives 1 whatever the exponent, and -1 to ±∞ is 1. */
function pow(x: number, y: number): number {
  return x === 1 || (x === -1 && (y === Number.POSITIVE_INFINITY || y === Number.NEGATIVE_INFINITY)) ? 1 : x ** y;
}

/** The remainder that has the divisor's sign. */
function remainder(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/** The functions by the names under which modules import them from "e". */
export const importedMath: Readonly<Record<"pow" | "remainder", (x: number, y: number) => number>> = {
  pow,
  remainder,
};
