/** What a value is, in the words of error messages. */
import { ArgumentError } from "./errors.ts";

/** What `value` is: "a list", "a string", "a Linear". */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (value instanceof Promise) return "a Promise; await it first";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = value.constructor?.name ?? "Object";
  return name === "Object" ? "an object" : `a ${name}`;
}

/** A value in an error: numbers and text as they are written, other things by what they are. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `"${value}"`;
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : describeValue(value);
}

/** Throws unless `value` is a function. @throws {ArgumentError} */
export function requireFunction(operation: string, value: unknown): void {
  if (typeof value !== "function") throw new ArgumentError(operation, `takes a function, got ${describeValue(value)}`);
}

/**
 * Throws if a function that is recorded returned a Promise: what it does later would not be recorded.
 *
 * @throws {ArgumentError} or the error given
 */
export function requireSynchronous(
  operation: string,
  result: unknown,
  Refusal: new (operation: string, detail: string) => Error = ArgumentError,
): void {
  if (!(result instanceof Promise)) return;
  // Most reject as well, for they read what has no value yet; nobody is there to hear of it.
  result.catch(() => {});
  throw new Refusal(operation, "the function returned a Promise; it must not be asynchronous");
}
