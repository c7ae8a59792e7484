/** Names of options: one that is misspelt is an error, because what nobody reads changes nothing, without a word. */
import { ArgumentError } from "./errors.ts";

/**
 * Throws unless `options` has options of these names only: for layers and functions of your own.
 *
 * @throws {ArgumentError} naming the operation, the option and those there are
 * @example
 * requireOptions("Scaler", { initial: 2 }, ["initial"]);
 * requireOptions("Scaler", { inital: 2 }, ["initial"]); // throws ArgumentError
 */
export function requireOptions(operation: string, options: object | undefined, names: readonly string[]): void {
  for (const key in options) {
    if (!names.includes(key)) throw new ArgumentError(operation, `"${key}" is no option of { ${names.join(", ")} }`);
  }
}
