/** A plan ready to run on the GPU: its dispatches are encoded anew at every run, into one pass and one submission. */
import { DeviceError, MLXError } from "../../base/errors.ts";
import type { Allocation, Executable, Plan } from "../../ir/backend.ts";
import type { PooledBuffer } from "./buffer-pool.ts";
import { type CheckedBuffer, createChecked } from "./checked-buffer.ts";
import { GpuAllocation } from "./gpu-allocation.ts";
import type { GpuBuffer, GpuErrorReport } from "./gpu-api.ts";
import { bufferUsage } from "./gpu-api.ts";
import type { GpuKernelCode } from "./kernel-code.ts";
import type { BoundPlan, Launch, Source } from "./launches.ts";
import { bindPlan } from "./launches.ts";
import type { Pipeline } from "./pipelines.ts";
import type { WebGpuBackend } from "./webgpu-backend.ts";
import { argumentBits } from "./wgsl-types.ts";

/** Bind groups kept per dispatch: the steps of a training loop go through a few sets of buffers again and again. */
const groupLimit = 16;

/** A bind group, and the buffers it is of, one for each binding. */
interface BindGroup {
  readonly buffers: readonly (PooledBuffer | null)[];
  readonly group: object;
}

/** The memory of a run. */
interface Held {
  readonly inputs: readonly PooledBuffer[];
  readonly outputs: readonly GpuAllocation[];
  /** Given back as soon as the work is submitted: what is submitted later runs later. */
  readonly scratch: readonly PooledBuffer[];
}

/** Runs one plan. */
export class GpuExecutable implements Executable {
  readonly #backend: WebGpuBackend;
  readonly #plan: Plan;
  readonly #bound: BoundPlan;
  /** Made at the first run, if there is anything to lie in it. */
  #uniform: CheckedBuffer | null = null;
  /** The constants of all kernels; those of some are given as immediates, the others lie in `#uniform` too. */
  readonly #constantWords: Uint32Array<ArrayBuffer>;
  readonly #constantBytes: Uint8Array<ArrayBuffer>;
  readonly #groups: readonly BindGroup[][];
  /** Those of all launches. */
  readonly #places: readonly number[];
  #pipelines: readonly Pipeline[] | null = null;
  #hasRun = false;

  constructor(backend: WebGpuBackend, plan: Plan, codes: readonly GpuKernelCode[]) {
    this.#backend = backend;
    this.#plan = plan;
    this.#bound = bindPlan(plan, codes);
    const { launches, constantBytes } = this.#bound;
    this.#groups = launches.map(() => []);
    this.#places = launches.map((_, place) => place);
    this.#constantWords = new Uint32Array(constantBytes / 4);
    this.#constantBytes = new Uint8Array(this.#constantWords.buffer);
  }

  run(
    inputs: readonly Allocation[],
    constants: readonly (number | bigint)[],
  ): Promise<readonly Allocation[]> | readonly Allocation[] {
    this.#backend.requireWorking();
    if (this.#hasRun) {
      const held = this.#take(inputs);
      const wait = this.#waits(held);
      if (wait) return this.#explained(this.#runAfter(wait, held, constants));
      this.#backend.watched(() => this.#submit(held, constants));
      return held.outputs;
    }
    return this.#explained(this.#firstRun(inputs, constants));
  }

  dispose(): void {
    this.#backend.submissions.flush();
    this.#uniform?.buffer.destroy();
  }

  async #explained<T>(running: Promise<T>): Promise<T> {
    try {
      return await running;
    } catch (cause) {
      throw await this.#backend.failureOf(cause);
    }
  }

  /** Compiles, then runs with the errors of this very work reported. */
  async #firstRun(
    inputs: readonly Allocation[],
    constants: readonly (number | bigint)[],
  ): Promise<readonly Allocation[]> {
    const { pipelines } = this.#backend;
    this.#pipelines ??= await Promise.all(
      this.#bound.launches.map((launch) => pipelines.get(launch.dispatch, launch.label)),
    );
    this.#backend.requireWorking();
    if (!this.#uniform || this.#uniform.isBroken) this.#uniform = this.#createUniform();
    const held = this.#take(inputs);
    await this.#ready(this.#waits(held), held);
    const { submissions } = this.#backend;
    submissions.flush();
    const found = await this.#backend.scoped(() => {
      this.#submit(held, constants);
      submissions.flush();
    });
    this.#backend.requireWorking();
    if (found) {
      const error = await this.#refusal(held, found);
      for (const output of held.outputs) output.release();
      throw error;
    }
    this.#hasRun = true;
    return held.outputs;
  }

  async #runAfter(
    wait: Promise<unknown>,
    held: Held,
    constants: readonly (number | bigint)[],
  ): Promise<readonly Allocation[]> {
    await this.#ready(wait, held);
    this.#backend.watched(() => this.#submit(held, constants));
    return held.outputs;
  }

  /** What must be waited for before the submission: that all memory is there, and that the GPU is not too far behind. */
  #waits({ inputs, outputs, scratch }: Held): Promise<unknown> | null {
    const marker = this.#backend.beforeSubmit();
    const isKnown = this.#hasRun && !this.#backend.pool.isUnsettled;
    if (isKnown) return marker;
    const buffers = [...inputs, ...outputs.map(({ pooled }) => pooled), ...scratch, this.#uniform];
    const waits = [marker, ...buffers.map((buffer) => buffer?.check)].filter((wait) => wait instanceof Promise);
    return waits.length > 0 ? Promise.all(waits) : null;
  }

  #createUniform(): CheckedBuffer | null {
    const { launches, constantBytes } = this.#bound;
    if (!launches.some(({ sources }) => sources.some(({ kind }) => kind === "uniform"))) return null;
    const usage = bufferUsage.uniform | bufferUsage.copyTarget;
    return createChecked(this.#backend.device, { size: constantBytes, usage });
  }

  /** Waits; gives back what was taken if the device fails meanwhile. */
  async #ready(wait: Promise<unknown> | null, held: Held): Promise<void> {
    try {
      await wait;
      this.#backend.requireWorking();
    } catch (error) {
      for (const output of held.outputs) output.release();
      for (const buffer of held.scratch) this.#backend.pool.give(buffer);
      throw error;
    }
  }

  #take(given: readonly Allocation[]): Held {
    const inputs = given.map(pooledOf);
    const { inputCount, outputCount, bufferBytes } = this.#plan;
    const outputs: GpuAllocation[] = [];
    const scratch: PooledBuffer[] = [];
    try {
      for (let k = inputCount; k < inputCount + outputCount; k++)
        outputs.push(this.#backend.allocate(bufferBytes[k] ?? 0));
      for (const byteLength of this.#bound.scratchBytes) scratch.push(this.#backend.pool.take(byteLength));
      return { inputs, outputs, scratch };
    } catch (error) {
      for (const output of outputs) output.release();
      for (const buffer of scratch) this.#backend.pool.give(buffer);
      throw error;
    }
  }

  #submit({ inputs, outputs, scratch }: Held, constants: readonly (number | bigint)[]): void {
    this.#setConstants(constants);
    const memory: Memory = { inputs, outputs: outputs.map(({ pooled }) => pooled), scratch };
    this.#backend.submissions.add(this.#encode(memory, this.#places), this.#places.length);
    for (const buffer of scratch) this.#backend.pool.give(buffer);
    this.#backend.afterSubmit();
  }

  /** The launches at these places, as one pass. */
  #encode(memory: Memory, places: readonly number[]): object {
    const encoder = this.#backend.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const place of places) {
      const launch = this.#bound.launches[place];
      const pipeline = this.#pipelines?.[place];
      if (!launch || !pipeline) continue;
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, this.#groupOf(place, launch, pipeline, memory));
      const { immediates } = launch;
      if (immediates) pass.setImmediates?.(0, this.#constantWords, immediates.word, immediates.count);
      pass.dispatchWorkgroups(...launch.dispatch.workgroups);
    }
    pass.end();
    return encoder.finish();
  }

  /** The error of a run that the device refuses because of `found`: encoded one by one, the launches show which it is. */
  async #refusal({ inputs, outputs, scratch }: Held, found: GpuErrorReport): Promise<DeviceError> {
    const memory: Memory = { inputs, outputs: outputs.map(({ pooled }) => pooled), scratch };
    // Those of the run may be what is wrong.
    const forget = (): void => {
      for (const groups of this.#groups) groups.length = 0;
    };
    for (const [place, { label }] of this.#bound.launches.entries()) {
      forget();
      const own = await this.#backend.scoped(() => this.#encode(memory, [place]));
      forget();
      if (own) return new DeviceError("gpu", `the GPU refuses ${label}: ${own.message}`);
    }
    const labels = [...new Set(this.#bound.launches.map(({ label }) => label))];
    return new DeviceError("gpu", `the GPU refuses ${labels.join("; ")}: ${found.message}`);
  }

  #setConstants(constants: readonly (number | bigint)[]): void {
    let isChanged = !this.#hasRun;
    for (const { word, constant, dtype } of this.#bound.constantPlaces) {
      const bits = argumentBits(dtype, constants[constant] ?? 0);
      if (this.#constantWords[word] === bits) continue;
      this.#constantWords[word] = bits;
      isChanged = true;
    }
    const { byteLength } = this.#constantWords;
    if (this.#uniform && isChanged)
      this.#backend.submissions.write(this.#uniform.buffer, 0, this.#constantBytes, byteLength);
  }

  #groupOf(place: number, { sources }: Launch, { layout }: Pipeline, memory: Memory): object {
    const groups = this.#groups[place] ?? [];
    for (const known of groups) {
      if (known.buffers.every((buffer, k) => buffer === bufferOf(sources[k], memory))) return known.group;
    }
    const group = this.#backend.device.createBindGroup({
      layout,
      entries: sources.map((source, binding) => ({ binding, resource: this.#resourceOf(source, memory) })),
    });
    groups.push({ buffers: sources.map((source) => bufferOf(source, memory)), group });
    if (groups.length > groupLimit) groups.shift();
    return group;
  }

  #resourceOf(source: Source, memory: Memory): { buffer: GpuBuffer; offset: number; size: number } {
    const { offset, byteLength: size } = source;
    const buffer = source.kind === "uniform" ? this.#uniform?.buffer : bufferOf(source, memory)?.buffer;
    if (!buffer) throw new MLXError("evaluate", "a kernel is bound to memory that its plan lacks");
    return { buffer, offset, size };
  }
}

interface Memory {
  readonly inputs: readonly PooledBuffer[];
  readonly outputs: readonly PooledBuffer[];
  readonly scratch: readonly PooledBuffer[];
}

/** The buffer behind a binding; null for constants, which lie in the plan's own. */
function bufferOf(source: Source | undefined, { inputs, outputs, scratch }: Memory): PooledBuffer | null {
  if (!source || source.kind === "uniform") return null;
  const list = source.kind === "input" ? inputs : source.kind === "output" ? outputs : scratch;
  return list[source.index] ?? null;
}

function pooledOf(allocation: Allocation): PooledBuffer {
  if (!(allocation instanceof GpuAllocation)) throw new MLXError("evaluate", "an input does not lie on the GPU");
  return allocation.pooled;
}
