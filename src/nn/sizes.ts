/** Checks of the sizes that layers are made with. */
import { describeValue } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";

/** Throws unless every size, given by name, is a whole number from 1. @throws {ArgumentError} naming the layer and the size */
export function requireSizes(layer: string, sizes: Readonly<Record<string, unknown>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (typeof size === "number" && Number.isInteger(size) && size > 0) continue;
    const found = typeof size === "number" ? size : describeValue(size);
    throw new ArgumentError(layer, `${name} is a whole number from 1, got ${found}`);
  }
}
