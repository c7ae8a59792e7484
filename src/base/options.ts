/** Names of options: one that is misspelt is an error, because what nobody reads changes nothing, without a word. */
import { ArgumentError } from "./errors.ts";

/** Throws unless `options` has options of these names only. @throws {ArgumentError} */
export function requireOptions(operation: string, options: object | undefined, names: readonly string[]): void {
  for (const key in options) {
    if (!names.includes(key)) throw new ArgumentError(operation, `"${key}" is no option of { ${names.join(", ")} }`);
  }
}
