/**
 * The queue of a device. A submission costs the CPU and the GPU some ten microseconds each, which is a small evaluation's own time:
 * what the first evaluation of a task of the event loop encodes is submitted at once, what others do is held until it is worth
 * it, or until the task is over.
 */
import type { GpuBuffer, GpuDevice } from "./gpu-api.ts";

/** Dispatches from which work is no longer held. */
const mostHeld = 16;

/** Hands work to the GPU, in order. */
export class Submissions {
  readonly #device: GpuDevice;
  readonly #holds: boolean;
  readonly #held: object[] = [];
  #dispatches = 0;
  /** Whether the end of the task is waited for. */
  #isWaiting = false;

  /** @param holds whether work may be held: not where others submit to the queue too */
  constructor(device: GpuDevice, holds: boolean) {
    this.#device = device;
    this.#holds = holds;
  }

  /** Takes encoded work with so many dispatches. */
  add(commands: object, dispatches: number): void {
    this.#held.push(commands);
    this.#dispatches += dispatches;
    if (!this.#isWaiting || this.#dispatches >= mostHeld) this.flush();
    if (!this.#holds || this.#isWaiting) return;
    this.#isWaiting = true;
    setTimeout(() => {
      this.#isWaiting = false;
      this.flush();
    }, 0);
  }

  /** Submits what is held: before anything else is done with the queue, or with buffers that it may use. */
  flush(): void {
    if (this.#held.length === 0) return;
    this.#dispatches = 0;
    this.#device.queue.submit(this.#held.splice(0));
  }

  /** Writes `byteLength` bytes of `data` to `buffer` from `offset` on. */
  write(buffer: GpuBuffer, offset: number, data: Uint8Array, byteLength: number): void {
    this.flush();
    this.#device.queue.writeBuffer(buffer, offset, data, 0, byteLength);
  }

  /** Waits until the GPU has done all work so far. */
  done(): Promise<void> {
    this.flush();
    return this.#device.queue.onSubmittedWorkDone();
  }
}
