/** Which device new operations are placed on: a named exception to passing state along. */
import { requireFunction, shown } from "../base/describe.ts";
import type { Dtype } from "../base/dtype.ts";
import { ArgumentError, DtypeError } from "../base/errors.ts";
import { requireOptions } from "../base/options.ts";
import { oneOf, optionsOf } from "../base/rules.ts";
import type { Aval } from "./mlx-array.ts";
import type { Primitive } from "./primitive.ts";

/** Where operations run. */
export type Device = "cpu" | "gpu";

/** What happens to operations on 64-bit dtypes, which GPUs cannot compute: an error, or the CPU computes them. */
export type WideFallback = "error" | "cpu";

/** What operations take as their last argument. */
export interface OperationOptions {
  /** Where the operation runs, and all that it is made of: the default device unless given. */
  readonly device?: Device | undefined;
}

/** How the default device is set. */
export interface DeviceOptions {
  /** For operations on float64, int64 and uint64 with the device `gpu`; `error` unless given. */
  readonly wide?: WideFallback | undefined;
}

let current: Device = "cpu";
let wideFallback: WideFallback = "error";
let isGpuUsed = false;
/** The operation that was called, while those that it is made of are placed. */
let called: string | null = null;

/**
 * The device on which operations are placed now.
 *
 * @example
 * defaultDevice(); // "cpu"
 */
export function defaultDevice(): Device {
  return current;
}

/** Whether any operation may have been placed on the GPU so far. */
export function mayUseGpu(): boolean {
  return isGpuUsed;
}

/**
 * Places the operations from here on on `device`. Arrays have no device: any operation takes any array, and elements move
 * when an operation needs them elsewhere, at most once in each direction.
 *
 * @throws {ArgumentError} for another name
 * @example
 * setDefaultDevice("cpu");
 * defaultDevice(); // "cpu"
 */
export function setDefaultDevice(device: Device, options: DeviceOptions = {}): void {
  requireDevice("setDefaultDevice", device);
  const { wide = "error" } = optionsOf("setDefaultDevice", options, { wide: oneOf("error", "cpu") });
  wideFallback = wide;
  moveTo(device);
}

/**
 * The result of `body`, whose operations are placed on `device`.
 *
 * @throws {ArgumentError} if `body` is asynchronous: other code could place its operations meanwhile
 * @example
 * const y = withDevice("cpu", () => array([1, 2]).add(1));
 * await y.tolist(); // [2, 3]
 */
export function withDevice<T>(device: Device, body: () => T): T {
  requireDevice("withDevice", device);
  requireFunction("withDevice", body);
  const result = placedOn(device, body);
  if (result instanceof Promise) {
    // It may reject as well, and nobody is there to hear of it.
    result.catch(() => {});
    throw new ArgumentError(
      "withDevice",
      "the function is asynchronous, and what follows its first await would be placed elsewhere; " +
        "wrap the synchronous parts, or call setDefaultDevice",
    );
  }
  return result;
}

/** `body`, which is what `operation` does, on the device that its only option names. @throws {ArgumentError} for another name */
export function placed<T>(operation: string, options: OperationOptions | undefined, body: () => T): T {
  return withOptions(operation, options, ["device"], body);
}

/** The same of an operation that has the options `names`, `device` among them. @throws {ArgumentError} for others */
export function withOptions<T, O extends OperationOptions>(
  operation: string,
  options: O | undefined,
  names: readonly (string & keyof O)[],
  body: () => T,
): T {
  // A number is a place in a list, where `map` calls an operation that has no other options.
  if (options !== undefined && Object(options) !== options && (names[1] || typeof options !== "number")) {
    // Arguments one by one that belong into a list: the first of them tells more.
    body();
    requireOptions(operation, { [String(options)]: null }, names);
  }
  requireOptions(operation, options, names);
  const outer = called;
  called ??= operation;
  try {
    return placedAt(operation, options?.device, body);
  } finally {
    called = outer;
  }
}

/** The same on `device`, if there is one. @throws {ArgumentError} for another name */
export function placedAt<T>(operation: string, device: Device | undefined, body: () => T): T {
  if (device === undefined) return body();
  requireDevice(operation, device);
  return placedOn(device, body);
}

/** `body` with its operations on `device`. */
export function placedOn<T>(device: Device, body: () => T): T {
  if (device === current) return body();
  const previous = current;
  moveTo(device);
  try {
    return body();
  } finally {
    current = previous;
  }
}

/** The device for an operation. @throws {DtypeError} if the GPU is asked for what it cannot compute */
export function deviceFor({ name, lowering }: Primitive, inputs: readonly Aval[], output: Aval): Device {
  if (current === "cpu" || lowering.kind === "data" || lowering.kind === "constant") return current;
  const wide = [output, ...inputs].find(({ dtype }) => wideDtypes.has(dtype));
  if (!wide) return current;
  if (wideFallback === "cpu") return "cpu";
  throw new DtypeError(
    called ?? name,
    `${wide.dtype} does not exist on the GPU: use { device: "cpu" }, or setDefaultDevice("gpu", { wide: "cpu" })`,
  );
}

const wideDtypes: ReadonlySet<Dtype> = new Set(["float64", "int64", "uint64"]);

function moveTo(device: Device): void {
  current = device;
  if (device === "gpu") isGpuUsed = true;
}

function requireDevice(operation: string, device: unknown): void {
  if (device !== "cpu" && device !== "gpu")
    throw new ArgumentError(operation, `a device is "cpu" or "gpu", got ${shown(device)}`);
}
