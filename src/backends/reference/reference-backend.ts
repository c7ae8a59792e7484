/** The backend that defines the others: plans run by the interpreter on plain memory. Slow, simple and right. */
import type { Dtype, TypedArray } from "../../base/dtype.ts";
import { carrierOf } from "../../base/dtype.ts";
import { MLXError, OutOfMemoryError } from "../../base/errors.ts";
import type { Allocation, Backend, Executable, MemoryReport, Plan } from "../../ir/backend.ts";
import { interpreterOf } from "../../ir/interpret.ts";

/** Runs kernels as they are defined. */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly slotLimit: number = Number.POSITIVE_INFINITY;
  readonly isLost = false;
  #active = 0;
  #peak = 0;
  #limit = Number.POSITIVE_INFINITY;

  overrides(): boolean {
    return false;
  }

  upload(data: TypedArray): Allocation {
    const allocation = this.allocate(data.byteLength);
    allocation.bytes()?.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return allocation;
  }

  allocate(byteLength: number): Allocation {
    if (this.#active + byteLength > this.#limit) {
      throw new OutOfMemoryError(
        "allocate",
        `${byteLength} bytes do not fit: ${this.#active} of ${this.#limit} are in use`,
      );
    }
    this.#active += byteLength;
    this.#peak = Math.max(this.#peak, this.#active);
    // Elements of 8 bytes may lie here, so the memory is a whole number of them.
    const bytes = new Uint8Array(Math.ceil(byteLength / 8) * 8);
    let holders = 1;
    return {
      backend: this,
      byteLength,
      copies: null,
      bytes: () => bytes,
      read: (use) => use(bytes),
      retain: () => {
        holders++;
      },
      release: () => {
        holders--;
        if (holders === 0) this.#active -= byteLength;
      },
    };
  }

  prepare(plan: Plan): Executable {
    const steps = plan.steps.map((step) => ({ ...step, run: interpreterOf(step.kernel) }));
    return {
      run: (inputs, constants) => {
        const allocations = plan.bufferBytes.map((byteLength, k) => inputs[k] ?? this.allocate(byteLength));
        for (const { kernel, buffers, constants: used, run } of steps) {
          const views = kernel.slots.map(({ dtype, size }, slot) =>
            elementsIn(allocations[buffers[slot] ?? -1], dtype, size),
          );
          run(
            views,
            used.map((constant) => constants[constant] ?? 0),
          );
        }
        const outputEnd = plan.inputCount + plan.outputCount;
        for (const scratch of allocations.slice(outputEnd)) scratch.release();
        return allocations.slice(plan.inputCount, outputEnd);
      },
      dispose: () => {},
    };
  }

  async synchronize(): Promise<void> {}

  memory(): MemoryReport {
    return { active: this.#active, peak: this.#peak, cache: 0 };
  }

  resetPeak(): void {
    this.#peak = this.#active;
  }

  clearCache(): void {}

  setLimits({ memory }: { readonly memory?: number; readonly cache?: number }): void {
    if (memory !== undefined) this.#limit = memory;
  }
}

function elementsIn(allocation: Allocation | undefined, dtype: Dtype, size: number): TypedArray {
  if (!allocation) throw new MLXError("evaluate", "a kernel is bound to a buffer that its plan lacks");
  const bytes = allocation.bytes();
  if (!bytes) throw new MLXError("evaluate", "an input lies in another backend's memory");
  return new (carrierOf(dtype))(bytes.buffer, bytes.byteOffset, size);
}
