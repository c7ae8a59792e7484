/** What a computation does cost: every kernel measured by itself, with the memory that is held while it runs. */
import { elementsOf } from "../base/elements.ts";
import { MLXError } from "../base/errors.ts";
import { MissingPart } from "../base/part.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Allocation, Backend, Plan, Step } from "../ir/backend.ts";
import { leavesOf } from "./evaluate.ts";
import type { ExplainedKernel } from "./explain.ts";
import { explainKernel, planFor, runtimeFor } from "./explain.ts";
import { gpuRuntime } from "./gpu.ts";
import type { Runtime } from "./runtime.ts";
import { scalarValue } from "./runtime.ts";
import { residentIn } from "./several-devices.ts";

/** One kernel, measured. */
export interface ProfiledKernel extends ExplainedKernel {
  /** The mean of a few runs, of many where one takes less than the clock can tell. */
  readonly milliseconds: number;
  /** Bytes of the buffers that are held while it runs: inputs, results so far, intermediates still needed. */
  readonly heldBytes: number;
  /** The kernels, by their place in the list, whose results it reads. */
  readonly reads: readonly number[];
}

/** How long a kernel is measured, and how often at most; the first run, which compiles, is not measured. */
const measuredMilliseconds = 2;
const mostRuns = 200;

/**
 * The kernels that computing the given arrays (or trees of arrays) runs, each measured by itself: on its own, a kernel has
 * nobody to overlap with, so that their sum is more than the computation takes. The arrays stay as they were.
 *
 * @throws {DeviceError} for operations on the GPU where there is none
 * @example
 * const x = ones([64, 64]);
 * const [kernel] = await profile(softmax(x, -1));
 * kernel?.heldBytes; // 16384
 */
export async function profile(...trees: readonly unknown[]): Promise<readonly ProfiledKernel[]> {
  const roots = trees.flatMap((tree) => leavesOf(tree)).filter((array) => !array.isEvaluated);
  if (roots.length === 0) return [];
  if (roots.some(({ device }) => device === "gpu")) await gpuRuntime();
  const runtime = runtimeFor(roots);
  const { plan, inputs, constants } = await bind(runtime, roots);
  const buffers: (Allocation | undefined)[] = [...inputs];
  const writers = new Map<number, number>();
  const lastReads = lastReadsOf(plan);
  const kernels: ProfiledKernel[] = [];
  let heldBytes = plan.bufferBytes.slice(0, plan.inputCount).reduce((sum, bytes) => sum + bytes, 0);
  try {
    for (const [k, step] of plan.steps.entries()) {
      const read = (slot: number): Allocation => buffers[slot] ?? missing();
      const values = step.constants.map((constant) => constants[constant] ?? missing());
      const { outputs, milliseconds } = await withParts(() => measure(runtime.backend, step, plan, read, values));
      const reads = new Set(step.buffers.flatMap((buffer) => writers.get(buffer) ?? []));
      for (const [buffer, allocation] of outputs) {
        buffers[buffer] = allocation;
        writers.set(buffer, k);
        heldBytes += plan.bufferBytes[buffer] ?? 0;
      }
      kernels.push({ ...explainKernel(step.kernel), milliseconds, heldBytes, reads: [...reads] });
      for (const [buffer, last] of lastReads) {
        if (last !== k) continue;
        buffers[buffer]?.release();
        buffers[buffer] = undefined;
        heldBytes -= plan.bufferBytes[buffer] ?? 0;
      }
    }
  } finally {
    for (const buffer of buffers) buffer?.release();
  }
  return kernels;
}

interface Bound {
  readonly plan: Plan;
  /** Retained for the caller. */
  readonly inputs: readonly Allocation[];
  readonly constants: readonly (number | bigint)[];
}

/** The plan of `roots`, with what it runs on. */
async function bind(runtime: Runtime, roots: readonly MLXArray[]): Promise<Bound> {
  const { backend } = runtime;
  const { plan, inputs, constants, inputSources, constantSources } = planFor(runtime, roots);
  const held = inputSources.map((source) =>
    allocationOf(backend, (typeof source === "number" ? inputs[source] : source) ?? missing()),
  );
  const resident = await Promise.all(held.map((allocation) => residentIn(backend, allocation)));
  for (const allocation of resident) allocation.retain();
  return {
    plan,
    inputs: resident,
    constants: constantSources.map((source) => scalarValue(typeof source === "number" ? constants[source] : source)),
  };
}

/** Where an input lies; a constant is written to memory first. */
function allocationOf(backend: Backend, array: MLXArray): Allocation {
  if (array.allocation) return array.allocation;
  array.allocation = backend.upload(elementsOf(array.dtype, [scalarValue(array)]));
  return array.allocation;
}

/** Runs one kernel alone, a few times; its last results are the caller's. */
async function measure(
  backend: Backend,
  step: Step,
  plan: Plan,
  read: (buffer: number) => Allocation,
  constants: readonly (number | bigint)[],
): Promise<{ readonly outputs: ReadonlyMap<number, Allocation>; readonly milliseconds: number }> {
  const { kernel } = step;
  const isWritten = (buffer: number): boolean => step.buffers.some((b, k) => b === buffer && kernel.slots[k]?.isOutput);
  const distinct = [...new Set(step.buffers)];
  const sources = distinct.filter((buffer) => !isWritten(buffer));
  const written = distinct.filter(isWritten);
  const order = [...sources, ...written];
  if (kernel.kind === "routine") kernel.part?.get();
  const executable = backend.prepare({
    steps: [
      { ...step, buffers: step.buffers.map((b) => order.indexOf(b)), constants: step.constants.map((_, k) => k) },
    ],
    constants: step.constants.map((constant) => plan.constants[constant] ?? missing()),
    bufferBytes: order.map((buffer) => plan.bufferBytes[buffer] ?? 0),
    inputCount: sources.length,
    outputCount: written.length,
  });
  try {
    let outputs = await executable.run(sources.map(read), constants);
    await backend.synchronize();
    const started = performance.now();
    let runs = 0;
    let elapsed = 0;
    while (runs < mostRuns && elapsed < measuredMilliseconds) {
      for (const output of outputs) output.release();
      outputs = await executable.run(sources.map(read), constants);
      await backend.synchronize();
      elapsed = performance.now() - started;
      runs++;
    }
    return {
      outputs: new Map(written.map((buffer, k) => [buffer, outputs[k] ?? missing()])),
      milliseconds: elapsed / runs,
    };
  } finally {
    executable.dispose();
  }
}

/** What `attempt` gives, once the parts that it needs are loaded. */
async function withParts<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof MissingPart)) throw error;
    await error.load();
    return withParts(attempt);
  }
}

/** For each buffer that is neither input nor output, the last step that touches it. */
function lastReadsOf({ steps, inputCount, outputCount }: Plan): ReadonlyMap<number, number> {
  const last = new Map<number, number>();
  for (const [k, { buffers }] of steps.entries())
    for (const buffer of buffers) if (buffer >= inputCount + outputCount) last.set(buffer, k);
  return last;
}

function missing(): never {
  throw new MLXError("profile", "a plan has lost one of its buffers");
}
