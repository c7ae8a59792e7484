/** Errors on their way from one thread to another: their class, stack and fields arrive with them. */
import * as mx from "mlx-ts";

/**
 * Thrown by every call that was pending when a worker failed, and by every later one.
 *
 * @example
 * import { WorkerError } from "@mlx-ts/actor";
 * const isOver = (error: unknown) => error instanceof WorkerError;
 * isOver(new WorkerError("normalize", "the worker ended")); // true
 */
export class WorkerError extends mx.MLXError {
  override readonly name = "WorkerError";
}

/** A class of errors. */
export type ErrorClass = abstract new (...parameters: never[]) => Error;

/** An error as plain data, or whatever else was thrown. */
export type EncodedError =
  | { readonly kind: "value"; readonly value: unknown }
  | {
      readonly kind: "error";
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      /** Whether it is one of the web's own errors, which are told apart by their names alone. */
      readonly isDomException: boolean;
      /** What else the error carries, as far as it is plain data. */
      readonly fields: { readonly [name: string]: unknown };
      readonly cause: EncodedError | null;
      /** The errors that an `AggregateError` is made of. */
      readonly errors: readonly EncodedError[] | null;
    };

/** How deep the data in the fields of an error may be: what is deeper, or goes round, stays behind. */
const deepestField = 4;

/** The classes that errors have by themselves, by the names of the errors: minifiers rename classes. */
const known: { readonly [name: string]: ErrorClass } = {
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
  MLXError: mx.MLXError,
  ShapeError: mx.ShapeError,
  DtypeError: mx.DtypeError,
  DeviceError: mx.DeviceError,
  OutOfMemoryError: mx.OutOfMemoryError,
  DisposedError: mx.DisposedError,
  FormatError: mx.FormatError,
  GradientError: mx.GradientError,
  ArgumentError: mx.ArgumentError,
  LoadError: mx.LoadError,
  WorkerError,
};

/** An error, or whatever else was thrown, as plain data. */
export function encodeError(thrown: unknown): EncodedError {
  if (!(thrown instanceof Error)) return { kind: "value", value: isData(thrown) ? thrown : String(thrown) };
  const { name, message, stack, cause } = thrown;
  const fields = Object.fromEntries(
    Object.entries(thrown).filter(
      ([key, value]) => !["name", "message", "stack", "cause", "errors"].includes(key) && isData(value),
    ),
  );
  const isDomException = thrown instanceof DOMException;
  const errors = thrown instanceof AggregateError ? thrown.errors.map(encodeError) : null;
  const encodedCause = cause === undefined ? null : encodeError(cause);
  return { kind: "error", name, message, stack, isDomException, fields, cause: encodedCause, errors };
}

/** What was thrown; an error is of its own class where that is one of JavaScript's, one of mlx-ts, or among `classes`. */
export function decodeError(encoded: EncodedError, classes: readonly ErrorClass[] = []): unknown {
  if (encoded.kind === "value") return encoded.value;
  const { name, message, stack, isDomException, fields, cause, errors } = encoded;
  const error = isDomException ? new DOMException(message, name) : new Error(message);
  const own = classes.find((candidate) => candidate.name === name) ?? (Object.hasOwn(known, name) ? known[name] : null);
  if (own && !isDomException) Object.setPrototypeOf(error, own.prototype);
  const set = (key: string, value: unknown): unknown =>
    Object.defineProperty(error, key, { value, configurable: true, writable: true });
  if (cause) set("cause", decodeError(cause, classes));
  if (errors)
    set(
      "errors",
      errors.map((each) => decodeError(each, classes)),
    );
  Object.assign(error, fields);
  if (error.name !== name) set("name", name);
  if (stack !== undefined) set("stack", stack);
  return error;
}

/** Whether a value survives the way: anything else of an error stays behind. */
function isData(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return !["function", "symbol"].includes(typeof value);
  if (depth === deepestField) return false;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isPlain && Object.values(value).every((each) => isData(each, depth + 1));
}
