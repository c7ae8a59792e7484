/** What crosses between an actor and the thread that uses it. */
import { ArgumentError, MLXArray } from "mlx-ts";
import type { WorkerTicket } from "mlx-ts/worker";
import type { EncodedError } from "./errors.ts";

/** How an actor begins. */
export interface StartMessage {
  readonly ticket: WorkerTicket;
  readonly threads: number | null;
  /** The arguments of the constructor, with handles for arrays. */
  readonly parameters: unknown;
  /** A lock that the worker is to hold for as long as it lives, where there are locks. */
  readonly lock: string;
}

/** What a call came to. */
export type Answer =
  | { readonly kind: "value"; readonly message: unknown }
  | { readonly kind: "stream"; readonly stream: number }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly error: EncodedError };

/** The worker's side, which Comlink makes callable. */
export interface ActorHost {
  /** Makes the object; whether the worker holds the lock. */
  start(start: StartMessage): Promise<Answer>;
  call(method: string, parameters: unknown): Promise<Answer>;
  next(stream: number): Promise<Answer>;
  /** Ends a stream early. */
  leave(stream: number): Promise<void>;
  /** Aborts a signal that was sent. */
  abort(signal: number, reason: EncodedError): void;
  /** Ends: after the calls under way, and with the threads that compute for this one. */
  close(): Promise<void>;
}

/** Stands for an `AbortSignal` in a message. */
export interface SignalHandle {
  readonly mlxSignal: number;
  /** Why it is aborted already. */
  readonly aborted: EncodedError | null;
}

/** Whether a value stands for a signal. */
export function isSignalHandle(value: unknown): value is SignalHandle {
  return typeof value === "object" && value !== null && "mlxSignal" in value;
}

/** Lists and plain objects rebuilt with `change` of everything else. */
export function mapData(tree: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(tree)) return tree.map((item: unknown) => mapData(item, change));
  if (typeof tree !== "object" || tree === null || isSignalHandle(tree)) return change(tree);
  const prototype: unknown = Object.getPrototypeOf(tree);
  if (prototype !== Object.prototype && prototype !== null) return change(tree);
  return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, mapData(item, change)]));
}

/**
 * Makes sure that a message can be posted, before handles are made for it that nobody would open.
 *
 * @throws {ArgumentError} naming what cannot be cloned
 */
export function assertClonable(tree: unknown): void {
  mapData(tree, (leaf) => {
    const isOdd = (typeof leaf === "object" && leaf !== null && !isKnownToClone(leaf)) || typeof leaf === "symbol";
    try {
      return isOdd ? structuredClone(leaf) : leaf;
    } catch (cause) {
      throw new ArgumentError("actor", `a value does not travel between threads: ${Object(cause).message}`, { cause });
    }
  });
}

/** Spares the copy of what is large. */
function isKnownToClone(leaf: object): boolean {
  return leaf instanceof MLXArray || ArrayBuffer.isView(leaf) || leaf instanceof ArrayBuffer || isSignalHandle(leaf);
}
