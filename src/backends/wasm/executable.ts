/** A plan ready to run: argument blocks, scratch memory, and the phases that the pool works through. */
import type { TypedArray } from "../../base/dtype.ts";
import { carrierOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { Allocation, Executable, Plan, Step } from "../../ir/backend.ts";
import type { RoutineKernel } from "../../ir/kernel.ts";
import { SmallAllocation, smallByteLimit, WasmAllocation } from "./allocation.ts";
import { writeConstant } from "./kernel-code.ts";
import type { Phase } from "./pool.ts";
import type { PlacedBuffers } from "./small-buffers.ts";
import { placeSmall } from "./small-buffers.ts";
import { type CompiledKernel, cpuParts, type WasmBackend } from "./wasm-backend.ts";

/** A step of a plan with its compiled kernel; routines have none. */
export interface PreparedStep {
  readonly step: Step;
  readonly compiled: CompiledKernel | null;
  /** Address of the argument block. */
  readonly args: number;
}

/** Phases that the pool runs at one go, then a routine, if any, that runs on the calling thread. */
interface Segment {
  readonly phases: readonly Phase[];
  readonly work: number;
  readonly routine: { readonly step: Step; readonly kernel: RoutineKernel } | null;
}

/** Where everything lies during a run. */
interface Placed {
  /** Outputs that the caller will own; null for small ones, whose places are known. */
  readonly outputs: readonly (WasmAllocation | null)[];
  readonly addresses: readonly number[];
  /** One block for what lives only during the run; 0 if there is nothing of that kind. */
  readonly scratch: number;
}

/** Instructions below which waking other threads costs more than they save. */
const parallelWork = 300_000;

/** Small results of a plan that share a buffer: one of its own costs more than the run of a small kernel, to make and to collect. */
const resultsPerBuffer = 16;
/** Results of so few bytes need none: engines keep them in the object. */
const bufferlessBytes = 64;

/** Runs one plan. */
export class WasmExecutable implements Executable {
  readonly #backend: WasmBackend;
  readonly #plan: Plan;
  readonly #steps: readonly PreparedStep[];
  readonly #segments: readonly Segment[];
  /** Instructions of the longest segment. */
  readonly #longest: number;
  readonly #scratchOffsets: readonly number[];
  readonly #scratchBytes: number;
  readonly #partialBytes: number;
  /** Addresses at which small inputs and outputs lie during a run; runs never overlap. */
  readonly #smallPlaces: readonly number[];
  readonly #smallBlock: number;
  /** Where the next small results are copied to, and how much of it is taken. */
  #shared: Uint8Array = new Uint8Array(0);
  #taken = 0;

  constructor(backend: WasmBackend, plan: Plan, steps: readonly PreparedStep[], intermediates: PlacedBuffers | null) {
    this.#backend = backend;
    this.#plan = plan;
    this.#steps = steps.filter(({ step }) => step.kernel.slots.some(({ size, isOutput }) => isOutput && size > 0));
    this.#segments = segmentsOf(this.#steps);
    this.#longest = Math.max(0, ...this.#segments.map(({ work }) => work));
    this.#scratchOffsets = intermediates?.offsets ?? [];
    this.#partialBytes =
      Math.ceil(Math.max(0, ...steps.map(({ compiled }) => compiled?.code.scratchBytes ?? 0)) / 64) * 64;
    this.#scratchBytes = (intermediates?.byteLength ?? 0) + this.#partialBytes;
    const small = placeSmall(plan, smallByteLimit);
    const block = small.byteLength > 0 ? backend.arena.reserve(small.byteLength) : 0;
    this.#smallBlock = block;
    this.#smallPlaces = small.offsets.map((offset) => block + offset);
  }

  /** @throws {MissingPart} if what threads need is not loaded; nothing has run then */
  run(
    inputs: readonly Allocation[],
    constants: readonly (number | bigint)[],
  ): Promise<readonly Allocation[]> | readonly Allocation[] {
    const { pool } = this.#backend;
    const isLong = this.#longest >= parallelWork;
    if (isLong) pool.engage(cpuParts.threads, this.#longest);
    if ((pool.mayBlock || !isLong) && !this.#backend.isBusy) return this.#runNow(inputs, constants);
    return this.#backend.enqueue(() => this.#runLater(inputs, constants));
  }

  dispose(): void {
    if (this.#smallBlock > 0) this.#backend.arena.free(this.#smallBlock);
    for (const { compiled, args } of this.#steps) {
      if (!compiled) continue;
      this.#backend.arena.free(args);
      compiled.holders--;
    }
  }

  #runNow(inputs: readonly Allocation[], constants: readonly (number | bigint)[]): readonly Allocation[] {
    const { pool } = this.#backend;
    const placed = this.#place(inputs);
    try {
      this.#writeArguments(placed, constants);
      for (const { phases, work, routine } of this.#segments) {
        if (work < parallelWork) pool.runAlone(phases);
        else pool.run(phases);
        if (routine) this.#runRoutine(routine, placed);
      }
    } catch (error) {
      this.#abandon(placed);
      throw error;
    }
    return this.#collect(placed);
  }

  /** As `runNow`, with the work done by other threads while the caller waits. */
  async #runLater(
    inputs: readonly Allocation[],
    constants: readonly (number | bigint)[],
  ): Promise<readonly Allocation[]> {
    const { pool } = this.#backend;
    const placed = this.#place(inputs);
    try {
      this.#writeArguments(placed, constants);
      for (const { phases, routine } of this.#segments) {
        if (phases.length > 0) await pool.submit(phases);
        if (routine) this.#runRoutine(routine, placed);
      }
    } catch (error) {
      this.#abandon(placed);
      throw error;
    }
    return this.#collect(placed);
  }

  /** Finds room for everything, and copies small inputs in. */
  #place(inputs: readonly Allocation[]): Placed {
    const { inputCount, outputCount, bufferBytes } = this.#plan;
    const addresses = new Array<number>(bufferBytes.length);
    for (let k = 0; k < inputCount; k++) {
      const input = inputs[k];
      if (input instanceof SmallAllocation) {
        const place = this.#smallPlaces[k] ?? 0;
        this.#backend.arena.bytes().set(input.held, place);
        addresses[k] = place;
      } else if (input instanceof WasmAllocation) {
        addresses[k] = input.offset;
      } else {
        throw new MLXError("evaluate", "an input has no memory");
      }
    }
    const outputs: (WasmAllocation | null)[] = [];
    try {
      for (let k = inputCount; k < inputCount + outputCount; k++) {
        const byteLength = bufferBytes[k] ?? 0;
        const block = byteLength < smallByteLimit ? null : this.#backend.allocateBlock(byteLength);
        outputs.push(block);
        addresses[k] = block?.offset ?? this.#smallPlaces[k] ?? 0;
      }
      const scratch = this.#scratchBytes > 0 ? this.#backend.arena.allocate(this.#scratchBytes) : 0;
      for (let k = inputCount + outputCount; k < bufferBytes.length; k++) {
        addresses[k] = scratch + this.#partialBytes + (this.#scratchOffsets[k] ?? 0);
      }
      return { outputs, addresses, scratch };
    } catch (error) {
      this.#abandon({ outputs, addresses, scratch: 0 });
      throw error;
    }
  }

  /** Gives everything back after a run that failed. */
  #abandon({ outputs, scratch }: Placed): void {
    for (const output of outputs) output?.release();
    this.#freeScratch(scratch);
  }

  #freeScratch(scratch: number): void {
    if (scratch > 0) this.#backend.arena.free(scratch);
  }

  /** The outputs of a run that is done; small ones are copied out. */
  #collect({ outputs, addresses, scratch }: Placed): readonly Allocation[] {
    this.#freeScratch(scratch);
    const { inputCount, bufferBytes } = this.#plan;
    return outputs.map((output, k) => {
      if (output !== null) return output;
      const place = addresses[inputCount + k] ?? 0;
      const byteLength = bufferBytes[inputCount + k] ?? 0;
      return new SmallAllocation(this.#backend, this.#copied(place, byteLength));
    });
  }

  #copied(place: number, byteLength: number): Uint8Array {
    const source = this.#backend.arena.bytes().subarray(place, place + byteLength);
    if (byteLength <= bufferlessBytes) return source.slice();
    if (this.#taken + byteLength > this.#shared.length) {
      this.#shared = new Uint8Array(resultsPerBuffer * byteLength);
      this.#taken = 0;
    }
    const copy = this.#shared.subarray(this.#taken, this.#taken + byteLength);
    this.#taken += byteLength;
    copy.set(source);
    return copy;
  }

  #writeArguments({ addresses, scratch }: Placed, constants: readonly (number | bigint)[]): void {
    const view = this.#backend.dataView();
    for (const { step, compiled, args } of this.#steps) {
      if (!compiled) continue;
      const { layout } = compiled.code;
      for (let slot = 0; slot < step.buffers.length; slot++) {
        view.setUint32(args + slot * 4, addresses[step.buffers[slot] ?? 0] ?? 0, true);
      }
      for (let k = 0; k < layout.arguments.length; k++) {
        writeConstant(
          view,
          args + layout.constants + k * 8,
          layout.arguments[k] ?? "float32",
          constants[step.constants[k] ?? 0] ?? 0,
        );
      }
      view.setUint32(args + layout.scratch, scratch, true);
    }
  }

  #runRoutine({ step, kernel }: { readonly step: Step; readonly kernel: RoutineKernel }, { addresses }: Placed): void {
    const { buffer } = this.#backend.arena.bytes();
    kernel.run(
      kernel.slots.map(
        ({ dtype, size }, k): TypedArray => new (carrierOf(dtype))(buffer, addresses[step.buffers[k] ?? 0] ?? 0, size),
      ),
    );
  }
}

function segmentsOf(steps: readonly PreparedStep[]): Segment[] {
  const segments: Segment[] = [];
  let phases: Phase[] = [];
  let work = 0;
  for (const { step, compiled, args } of steps) {
    const { kernel } = step;
    if (compiled) {
      phases.push(...phasesOf(compiled, args));
      for (const phase of compiled.code.phases) work += phase.work;
    } else if (kernel.kind === "routine") {
      segments.push({ phases, work, routine: { step, kernel } });
      phases = [];
      work = 0;
    }
  }
  if (phases.length > 0) segments.push({ phases, work, routine: null });
  return segments;
}

function phasesOf({ code, kernel }: CompiledKernel, argumentsPointer: number): Phase[] {
  return code.phases.map(({ name, itemCount, itemsPerChunk }) => ({
    kernel,
    functionIndex: kernel.functionIndex(name),
    argumentsPointer,
    itemCount,
    itemsPerChunk,
  }));
}
