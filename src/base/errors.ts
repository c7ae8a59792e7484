/** The typed errors of the library: each names the operation and says the remedy where there is one. */

/** What every error of this library derives from. */
export class MLXError extends Error {
  override readonly name: string = "MLXError";
  /** The operation that was refused. */
  readonly operation: string;
  constructor(operation: string, detail: string, options?: ErrorOptions) {
    super(`${operation}: ${detail}`, options);
    this.operation = operation;
  }
}

/** Thrown when shapes, axes or indices do not fit an operation. */
export class ShapeError extends MLXError {
  override readonly name = "ShapeError";
}

/** Thrown when an operation does not admit a dtype, or a value does not fit it. */
export class DtypeError extends MLXError {
  override readonly name = "DtypeError";
}

/** Thrown when a device is missing or cannot do what is asked. */
export class DeviceError extends MLXError {
  override readonly name = "DeviceError";
}

/** Thrown when memory is exhausted; the process goes on working. */
export class OutOfMemoryError extends MLXError {
  override readonly name = "OutOfMemoryError";
}

/** Thrown when an array is used after `dispose()`. */
export class DisposedError extends MLXError {
  override readonly name = "DisposedError";
}

/** Thrown when bytes or text do not follow their format. */
export class FormatError extends MLXError {
  override readonly name = "FormatError";
}

/** Thrown when a derivative is asked for where there is none. */
export class GradientError extends MLXError {
  override readonly name = "GradientError";
}

/** Thrown when an argument has a value that the operation cannot use. */
export class ArgumentError extends MLXError {
  override readonly name = "ArgumentError";
}

/** Thrown when a part of the library cannot be loaded; the next evaluation tries again. */
export class LoadError extends MLXError {
  override readonly name = "LoadError";
}
