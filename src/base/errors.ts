/** The typed errors of the library: each names the operation and says the remedy where there is one. */

/**
 * What every error of this library derives from.
 *
 * @example
 * const error = new MLXError("resize", "needs an image [height, width, channels]");
 * error.message; // "resize: needs an image [height, width, channels]"
 * error.operation; // "resize"
 */
export class MLXError extends Error {
  override readonly name: string = "MLXError";
  /** The operation that was refused. */
  readonly operation: string;
  constructor(operation: string, detail: string, options?: ErrorOptions) {
    super(`${operation}: ${detail}`, options);
    this.operation = operation;
  }
}

/**
 * Thrown when shapes, axes or indices do not fit an operation.
 *
 * @example
 * matmul(zeros([2, 3]), zeros([2, 3])); // throws ShapeError
 */
export class ShapeError extends MLXError {
  override readonly name = "ShapeError";
}

/**
 * Thrown when an operation does not admit a dtype, or a value does not fit it.
 *
 * @example
 * bitwiseAnd(array([1.5]), 1); // throws DtypeError
 */
export class DtypeError extends MLXError {
  override readonly name = "DtypeError";
}

/**
 * Thrown when a device is missing or cannot do what is asked.
 *
 * @example
 * // A program that does without the GPU where there is none:
 * const nameOfGpu = async () => {
 *   try {
 *     return await gpu.info();
 *   } catch (error) {
 *     if (error instanceof DeviceError) return null;
 *     throw error;
 *   }
 * };
 */
export class DeviceError extends MLXError {
  override readonly name = "DeviceError";
}

/**
 * Thrown when memory is exhausted; the process goes on working.
 *
 * @example
 * // A program that goes on with smaller batches:
 * const isTooMuch = (error: unknown) => error instanceof OutOfMemoryError;
 * isTooMuch(new OutOfMemoryError("evaluate", "4 GiB do not fit")); // true
 */
export class OutOfMemoryError extends MLXError {
  override readonly name = "OutOfMemoryError";
}

/**
 * Thrown when an array is used after `dispose()`.
 *
 * @example
 * const x = array([1, 2]);
 * x.dispose();
 * await x.tolist(); // throws DisposedError
 */
export class DisposedError extends MLXError {
  override readonly name = "DisposedError";
}

/**
 * Thrown when bytes or text do not follow their format.
 *
 * @example
 * await loadSafetensors(new Uint8Array([1, 2, 3])); // throws FormatError
 */
export class FormatError extends MLXError {
  override readonly name = "FormatError";
}

/**
 * Thrown when a derivative is asked for where there is none.
 *
 * @example
 * grad((x: mx.MLXArray) => x)(array([1, 2])); // throws GradientError
 */
export class GradientError extends MLXError {
  override readonly name = "GradientError";
}

/**
 * Thrown when an argument has a value that the operation cannot use.
 *
 * @example
 * random.bernoulli(2, [3]); // throws ArgumentError
 */
export class ArgumentError extends MLXError {
  override readonly name = "ArgumentError";
}

/**
 * Thrown when a part of the library cannot be loaded; the next evaluation tries again.
 *
 * @example
 * const isWorthAnotherTry = (error: unknown) => error instanceof LoadError;
 * isWorthAnotherTry(new LoadError("evaluate", "the network is gone")); // true
 */
export class LoadError extends MLXError {
  override readonly name = "LoadError";
}
