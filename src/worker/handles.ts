/** Arrays on their way to another thread. */
import { currentRuntime } from "../array/device.ts";
import { evaluate } from "../array/evaluate.ts";
import { residentIn } from "../array/several-devices.ts";
import { WasmAllocation } from "../backends/wasm/allocation.ts";
import type { BlockHandle } from "../backends/wasm/shared-arena.ts";
import { describeValue } from "../base/describe.ts";
import { type Dtype, dtypes } from "../base/dtype.ts";
import type { OwnBytes } from "../base/elements.ts";
import { elementsOf } from "../base/elements.ts";
import { ArgumentError, DisposedError, MLXError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { optionsOf } from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import { isPlainObject, isTreeNode } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { fromAllocation } from "../primitives/leaf.ts";
import { sharedArena, ticketRule, type WorkerTicket } from "./membership.ts";

/** Stands for an array in a message. Plain data: it can be posted, once, and opened once. */
export interface ArrayHandle {
  /** Tells a handle from other data. */
  readonly mlxArray: 1;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Where the elements lie in the shared memory; null if they travel along. */
  readonly block: BlockHandle | null;
  /** The elements, where memory is not shared and for arrays of less than 2 KiB. */
  readonly bytes: OwnBytes | null;
}

/** How handles are made. */
export interface ShareOptions {
  /** The worker that the handles are for: what it has not opened when it ends is let go of. */
  readonly receiver?: WorkerTicket | undefined;
}

const shareRules: Rules<ShareOptions> = { receiver: ticketRule };

/** Data in which handles stand for arrays, ready to be posted. */
export interface Shared {
  readonly message: unknown;
  /** Buffers to hand over with it, if whoever posts wants to save a copy: the second argument of `postMessage`. */
  readonly transfer: ArrayBuffer[];
}

/**
 * A handle on the elements of an array, for another thread; an array that is not evaluated is evaluated first. Nothing is
 * copied: both threads read the same bytes, which stay until both have let go. (Arrays of less than 2 KiB, what `get` gave of
 * a computed array, and all where memory cannot be shared, are copied: see `Shared.transfer`.)
 *
 * @throws {DisposedError} if the array was disposed
 * @example
 * const handle = await worker.toHandle(array([1, 2, 3]).mul(2));
 * await worker.fromHandle(handle).tolist(); // [2, 4, 6]
 */
export async function toHandle(x: MLXArray, options: ShareOptions = {}): Promise<ArrayHandle> {
  requireArray("toHandle", x);
  optionsOf("toHandle", options, shareRules);
  await evaluate(x);
  const { shape, dtype } = x;
  const allocation = await allocationOf(x);
  const arena = sharedArena();
  if (arena && allocation instanceof WasmAllocation) {
    const block = arena.send(allocation, options.receiver?.member?.member);
    return { mlxArray: 1, shape, dtype, block, bytes: null };
  }
  const bytes = await allocation.read((all) => new Uint8Array(all));
  return { mlxArray: 1, shape, dtype, block: null, bytes };
}

/**
 * The array behind a handle, in the thread it was sent to. A handle is opened once.
 *
 * @throws {DisposedError} if the thread that sent it has ended, or it was opened before
 * @throws {MLXError} in a thread that does not share the memory: see `joinMemory`
 * @example
 * const handle = await worker.toHandle(zeros([1024]));
 * worker.fromHandle(handle).shape; // [1024]
 * worker.fromHandle(handle); // throws DisposedError
 */
export function fromHandle(handle: ArrayHandle): MLXArray {
  requireHandle("fromHandle", handle, "openArrays");
  const { shape, dtype, block, bytes } = handle;
  const { backend } = currentRuntime();
  const aval = { shape: [...shape], dtype: dtypeNamed(dtype) };
  if (block === null) return fromAllocation(backend.upload(bytes ?? new Uint8Array(0)), aval);
  const arena = sharedArena();
  if (!arena) throw new MLXError("fromHandle", "this thread does not share the memory: let it call joinMemory first");
  return fromAllocation(arena.take(block), aval);
}

/**
 * Lets go of a handle that will not be opened.
 *
 * @throws {ArgumentError} for what is no handle
 * @example
 * const handle = await worker.toHandle(zeros([1024]));
 * worker.discardHandle(handle);
 * worker.fromHandle(handle); // throws DisposedError
 */
export function discardHandle(handle: ArrayHandle): void {
  requireHandle("discardHandle", handle, "discardArrays");
  if (handle.block) sharedArena()?.cancel(handle.block);
}

function requireHandle(operation: string, handle: unknown, forTrees: string): void {
  if (isArrayHandle(handle)) return;
  throw new ArgumentError(operation, `takes what toHandle gave, got ${describeValue(handle)}; see ${forTrees}`);
}

/**
 * Whether a value is a handle.
 *
 * @example
 * worker.isArrayHandle(await worker.toHandle(array([1, 2]))); // true
 * worker.isArrayHandle(array([1, 2])); // false
 */
export function isArrayHandle(value: unknown): value is ArrayHandle {
  return isPlainObject(value) && value.mlxArray === 1;
}

/**
 * A copy of plain objects and lists in which handles stand for arrays; everything else stays as it is.
 *
 * @throws {ArgumentError} for functions, modules and optimizers: send their parameters or state
 * @example
 * const { message } = await worker.shareArrays({ weight: array([1, 2]), step: 3 });
 * const { weight, step } = Object(worker.openArrays(message));
 * await weight.tolist(); // [1, 2]
 * step; // 3
 */
export async function shareArrays(tree: unknown, options: ShareOptions = {}): Promise<Shared> {
  optionsOf("shareArrays", options, shareRules);
  const transfer: ArrayBuffer[] = [];
  const arrays: MLXArray[] = [];
  collectArrays(tree, arrays);
  await evaluate(arrays);
  const handles = new Map<MLXArray, ArrayHandle[]>();
  const made: ArrayHandle[] = [];
  try {
    for (const x of arrays) {
      const handle = await toHandle(x, options);
      made.push(handle);
      if (handle.bytes) transfer.push(handle.bytes.buffer);
      handles.set(x, [...(handles.get(x) ?? []), handle]);
    }
  } catch (error) {
    made.forEach(discardHandle);
    throw error;
  }
  const message = mapPlain(tree, (leaf) => (leaf instanceof MLXArray ? handles.get(leaf)?.shift() : leaf));
  return { message, transfer };
}

/**
 * The data that `shareArrays` took apart, with arrays in place of handles, in the thread it was sent to.
 *
 * @throws {DisposedError} and {MLXError} as `fromHandle` does
 * @example
 * const { message } = await worker.shareArrays([array([1, 2]), "epoch 3"]);
 * worker.openArrays(message); // [[1, 2], "epoch 3"]
 */
export function openArrays(message: unknown): unknown {
  return mapPlain(message, (leaf) => (isArrayHandle(leaf) ? fromHandle(leaf) : leaf));
}

/**
 * Lets go of all handles of a message that will not be opened.
 *
 * @example
 * const { message } = await worker.shareArrays({ weight: zeros([1024]) });
 * worker.discardArrays(message);
 * worker.openArrays(message); // throws DisposedError
 */
export function discardArrays(message: unknown): void {
  mapPlain(message, (leaf) => {
    if (isArrayHandle(leaf)) discardHandle(leaf);
    return leaf;
  });
}

async function allocationOf(x: MLXArray): Promise<NonNullable<MLXArray["allocation"]>> {
  const { backend } = currentRuntime();
  if (x.primitive.lowering.kind === "constant" && !x.allocation)
    x.allocation = backend.upload(elementsOf(x.dtype, [x.primitive.lowering.value(x.params)]));
  if (!x.allocation) throw new DisposedError("toHandle", `array(${x.dtype} ${formatShape(x.shape)}) was disposed`);
  return residentIn(backend, x.allocation);
}

function collectArrays(tree: unknown, found: MLXArray[]): void {
  mapPlain(tree, (leaf) => {
    if (leaf instanceof MLXArray) found.push(leaf);
    else if (typeof leaf === "function" || isTreeNode(leaf)) {
      const what = isTreeNode(leaf) ? "a module or an optimizer" : "a function";
      throw new ArgumentError("share", `${what} does not travel between threads: send its parameters or its state`);
    }
    return leaf;
  });
}

/** Plain objects and lists rebuilt with `change` of everything else, handles included. */
function mapPlain(tree: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(tree)) return tree.map((item: unknown) => mapPlain(item, change));
  if (!isPlainObject(tree) || isTreeNode(tree) || isArrayHandle(tree)) return change(tree);
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, mapPlain(item, change)]));
}

function dtypeNamed(name: string): Dtype {
  const found = dtypes.find((dtype) => dtype === name);
  if (!found) throw new ArgumentError("fromHandle", `there is no dtype ${name}`);
  return found;
}
