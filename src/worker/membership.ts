/** Threads that compute over one memory: how one lets another take part. */
import { currentRuntime, replaceRuntime } from "../array/device.ts";
import { Runtime } from "../array/runtime.ts";
import { Arena } from "../backends/wasm/arena.ts";
import { assumeRelaxedSimd } from "../backends/wasm/relaxed-simd.ts";
import { type MemberTicket, SharedArena } from "../backends/wasm/shared-arena.ts";
import { WasmBackend } from "../backends/wasm/wasm-backend.ts";
import { describeValue } from "../base/describe.ts";
import { ArgumentError, MLXError } from "../base/errors.ts";
import type { Rule } from "../base/rules.ts";
import { optionsOf, requireValues, size } from "../base/rules.ts";

/**
 * What a thread needs to take part in this one's memory, to be posted to it. Where memory cannot be shared (a page that is
 * not cross-origin isolated) it says so, and arrays travel as bytes.
 */
export interface WorkerTicket {
  readonly member: MemberTicket | null;
}

/** For a ticket. */
export const ticketRule: Rule = { is: "what admitWorker gave", admits: (value) => "member" in Object(value) };

/** Whether arrays travel by handle from this thread, and the threads that share its memory. */
export interface SharingReport {
  /** False where memory cannot be shared: arrays then travel as bytes. */
  readonly isShared: boolean;
  /** Blocks of memory that have travelled and that some thread holds. */
  readonly blocks: number;
  /** Handles that were made and not yet opened. */
  readonly handles: number;
}

/** This thread's part in a shared memory, once it has one; null where memory cannot be shared. */
export function sharedArena(): SharedArena | null {
  const { backend } = currentRuntime();
  if (!(backend instanceof WasmBackend) || !backend.arena.memoryOptions.shared) return null;
  const { sharing } = backend.arena;
  return sharing instanceof SharedArena ? sharing : new SharedArena(backend);
}

/**
 * A ticket for a worker that is about to start: post it to the worker, which calls `joinMemory`. When the worker has ended,
 * whichever way, call `releaseWorker`.
 *
 * @throws {ArgumentError} if 31 threads share the memory already
 * @example
 * const ticket = worker.admitWorker();
 * // … start the worker, post it the ticket, work with it, end it …
 * worker.releaseWorker(ticket);
 */
export function admitWorker(): WorkerTicket {
  return { member: sharedArena()?.admit() ?? null };
}

/**
 * Lets this thread compute over the memory of the one that made the ticket. Arrays that this thread has made before are
 * copied when they are next needed.
 *
 * @param options.threads threads that compute for this one; as many as the hardware has, up to 8, unless given
 * @throws {ArgumentError} for what is no ticket
 * @throws {MLXError} if the memory is shared and this thread cannot share memory
 * @example
 * // In the worker, when the ticket comes:
 * const begin = (ticket: worker.WorkerTicket) => worker.joinMemory(ticket, { threads: 1 });
 */
export function joinMemory(ticket: WorkerTicket, options: { readonly threads?: number | undefined } = {}): void {
  optionsOf("joinMemory", options, { threads: size });
  const { member } = ticket ?? {};
  if (member === undefined)
    throw new ArgumentError(
      "joinMemory",
      `takes the ticket of admitWorker, as it was posted; got ${describeValue(ticket)}`,
    );
  if (member === null) {
    if (options.threads !== undefined) replaceRuntime(new Runtime(new WasmBackend(options), { fusion: true }));
    return;
  }
  assumeRelaxedSimd(member.relaxedSimd);
  const backend = new WasmBackend({ arena: new Arena({ memory: member }), ...options });
  if (!backend.arena.memoryOptions.shared)
    throw new MLXError("joinMemory", "the memory is shared, but this thread cannot share memory");
  new SharedArena(backend, member);
  replaceRuntime(new Runtime(backend, { fusion: true }));
}

/**
 * Takes back what a worker held that was admitted here: its memory, the arrays that only it had, and handles that it has not
 * opened. Arrays of its own that others hold live on. Call it when the worker has ended, and not before.
 *
 * @example
 * const ticket = worker.admitWorker();
 * // … the worker works, and ends …
 * worker.releaseWorker(ticket);
 */
export function releaseWorker(ticket: WorkerTicket): void {
  requireValues("releaseWorker", ticketRule, { ticket });
  if (ticket.member !== null) sharedArena()?.reap(ticket.member.member);
}

/**
 * Ends the threads that compute for this worker; resolves when they have ended. A worker calls it before it ends, so that
 * nobody writes to the memory that `releaseWorker` takes back.
 *
 * @example
 * // In the worker, before it ends:
 * const end = async () => {
 *   await worker.leaveMemory();
 *   close();
 * };
 */
export async function leaveMemory(): Promise<void> {
  const { backend } = currentRuntime();
  if (!(backend instanceof WasmBackend)) return;
  await backend.synchronize();
  await backend.pool.close();
}

/**
 * What this thread and others share.
 *
 * @example
 * worker.sharing().isShared; // true
 */
export function sharing(): SharingReport {
  const arena = sharedArena();
  const { shared = 0, underway = 0 } = arena?.census() ?? {};
  return { isShared: arena !== null, blocks: shared, handles: underway };
}
