/** Errors on their way from one thread to another: their class, stack and fields arrive with them. */
import * as mx from "mlx-ts";

/** Thrown by every call that was pending when a worker failed, and by every later one. */
export class WorkerError extends mx.MLXError {
  override readonly name = "WorkerError";
}

/** A class of errors. */
export type ErrorClass = abstract new (...parameters: never[]) => Error;

/** An error as plain data. */
export interface EncodedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** What else the error carries, where it can be cloned. */
  readonly fields: { readonly [name: string]: unknown };
  readonly cause: EncodedError | null;
}

const builtIn: readonly ErrorClass[] = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];

const own: readonly ErrorClass[] = [
  mx.MLXError,
  mx.ShapeError,
  mx.DtypeError,
  mx.DeviceError,
  mx.OutOfMemoryError,
  mx.DisposedError,
  mx.FormatError,
  mx.GradientError,
  mx.ArgumentError,
  mx.LoadError,
  WorkerError,
];

/** An error, or whatever else was thrown, as plain data. */
export function encodeError(thrown: unknown): EncodedError {
  if (!(thrown instanceof Error))
    return { name: "Error", message: String(thrown), stack: undefined, fields: {}, cause: null };
  const { name, message, stack, cause } = thrown;
  const fields = Object.fromEntries(
    Object.entries(thrown).filter(
      ([key, value]) => !["name", "message", "stack", "cause"].includes(key) && isData(value),
    ),
  );
  return { name, message, stack, fields, cause: cause === undefined ? null : encodeError(cause) };
}

/** The error, of its own class where that is one of JavaScript's, one of mlx-ts, or among `classes`. */
export function decodeError(encoded: EncodedError, classes: readonly ErrorClass[] = []): Error {
  const { name, message, stack, fields, cause } = encoded;
  if (name === "AbortError" || name === "TimeoutError") return new DOMException(message, name);
  const error = new Error(message, cause ? { cause: decodeError(cause, classes) } : {});
  const known = [...classes, ...own, ...builtIn].find((candidate) => candidate.name === name);
  if (known) Object.setPrototypeOf(error, known.prototype);
  Object.assign(error, fields);
  if (error.name !== name) Object.defineProperty(error, "name", { value: name, configurable: true });
  if (stack !== undefined) Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return error;
}

/** Whether a value survives the way: anything else of an error stays behind. */
function isData(value: unknown): boolean {
  return value === null || ["string", "number", "boolean", "bigint", "undefined"].includes(typeof value);
}
