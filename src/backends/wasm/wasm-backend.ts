/** The CPU backend: plans run as WebAssembly compiled here, on one memory. */
import type { Dtype, TypedArray } from "../../base/dtype.ts";
import { byteLengthOf, carrierOf, isFloating } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { Allocation, Backend, Executable, MemoryReport, Plan, Step } from "../../ir/backend.ts";
import type { ContractionKernel, LoopKernel, RoutineKernel } from "../../ir/kernel.ts";
import { WasmAllocation } from "./allocation.ts";
import { Arena } from "./arena.ts";
import { compileModule, engineFeatures } from "./engine-features.ts";
import { kernelText } from "./kernel-text.ts";
import type { LoopModule } from "./loop-kernel.ts";
import { emitLoopKernel } from "./loop-kernel.ts";
import { planScratch } from "./scratch.ts";
import { importedMath } from "./vector-math.ts";

/** Modules kept for reuse; the least recently used one goes first. */
const moduleLimit = 1024;

type KernelFunction = (args: number, begin: number, end: number) => void;

/** A compiled kernel. */
interface Compiled {
  readonly module: LoopModule;
  readonly phases: readonly KernelFunction[];
  readonly joins: readonly (KernelFunction | null)[];
  readonly finalStores: KernelFunction | null;
}

/** Runs plans on the CPU. */
export class WasmBackend implements Backend {
  readonly name = "cpu";
  readonly arena: Arena;
  readonly #modules = new Map<string, Compiled>();
  readonly #registry: FinalizationRegistry<number>;

  constructor(arena: Arena = new Arena()) {
    this.arena = arena;
    this.#registry = new FinalizationRegistry((offset) => arena.free(offset));
  }

  overrides(): boolean {
    return false;
  }

  allocate(byteLength: number): WasmAllocation {
    return new WasmAllocation(this.arena, this.#registry, this.arena.allocate(byteLength), byteLength);
  }

  upload(data: TypedArray): Allocation {
    const allocation = this.allocate(data.byteLength);
    this.arena.bytes().set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), allocation.offset);
    return allocation;
  }

  prepare(plan: Plan): Executable {
    return new WasmExecutable(this, plan, plan.steps.map((step) => this.#prepareStep(step)));
  }

  memory(): MemoryReport {
    return { active: this.arena.activeBytes, peak: this.arena.peakBytes, cache: this.arena.cachedBytes };
  }

  resetPeak(): void {
    this.arena.resetPeak();
  }

  clearCache(): void {
    this.arena.clearCache();
  }

  setLimits(limits: { readonly memory?: number; readonly cache?: number }): void {
    if (limits.memory !== undefined) this.arena.memoryLimit = limits.memory;
    if (limits.cache !== undefined) this.arena.cacheLimit = limits.cache;
  }

  #prepareStep(step: Step): PreparedStep {
    const { kernel } = step;
    if (kernel.kind === "routine") return { step, kernel, compiled: null, args: 0 };
    const compiled = this.#compile(kernel);
    return { step, kernel, compiled, args: this.arena.reserve(compiled.module.layout.byteLength) };
  }

  #compile(kernel: LoopKernel | ContractionKernel): Compiled {
    const key = kernelText(kernel);
    let compiled = this.#modules.get(key);
    if (compiled) this.#modules.delete(key);
    else compiled = this.#compileNew(kernel.kind === "loop" ? kernel : contractionAsLoops(kernel));
    this.#modules.set(key, compiled);
    if (this.#modules.size > moduleLimit) {
      const [oldest] = this.#modules.keys();
      if (oldest !== undefined) this.#modules.delete(oldest);
    }
    return compiled;
  }

  #compileNew(kernel: LoopKernel): Compiled {
    const { memoryOptions, memory } = this.arena;
    const module = emitLoopKernel(kernel, { relaxed: engineFeatures().relaxedSimd, ...memoryOptions });
    const instance = new WebAssembly.Instance(compileModule(module.bytes), { e: { m: memory, ...importedMath } });
    const exported = (name: string): KernelFunction => {
      const found = instance.exports[name];
      if (!isKernelFunction(found)) throw new MLXError("codegen", `the module of ${kernel.label} lacks ${name}`);
      return found;
    };
    return {
      module,
      phases: module.phases.map(({ index }) => exported(`p${index}`)),
      joins: module.phases.map(({ index, partialBytes }) => (partialBytes > 0 ? exported(`f${index}`) : null)),
      finalStores: module.hasFinalStores ? exported("s") : null,
    };
  }
}

function isKernelFunction(value: unknown): value is KernelFunction {
  return typeof value === "function";
}

interface PreparedStep {
  readonly step: Step;
  readonly kernel: LoopKernel | ContractionKernel | RoutineKernel;
  readonly compiled: Compiled | null;
  /** Address of the argument block. */
  readonly args: number;
}

class WasmExecutable implements Executable {
  readonly #backend: WasmBackend;
  readonly #plan: Plan;
  readonly #steps: readonly PreparedStep[];
  readonly #scratchOffsets: readonly number[];
  readonly #scratchBytes: number;
  readonly #partialBytes: number;

  constructor(backend: WasmBackend, plan: Plan, steps: readonly PreparedStep[]) {
    this.#backend = backend;
    this.#plan = plan;
    this.#steps = steps;
    const scratch = planScratch(plan);
    this.#scratchOffsets = scratch.offsets;
    this.#partialBytes = Math.max(0, ...steps.map(({ compiled }) => (compiled ? partialBytesOf(compiled.module) : 0)));
    this.#scratchBytes = scratch.byteLength + this.#partialBytes;
  }

  run(inputs: readonly Allocation[], constants: readonly (number | bigint)[]): readonly Allocation[] {
    const { inputCount, outputCount, bufferBytes } = this.#plan;
    const { arena } = this.#backend;
    const addresses = new Array<number>(bufferBytes.length);
    inputs.forEach((input, k) => {
      if (!(input instanceof WasmAllocation)) throw new MLXError("evaluate", "an input lies in another backend's memory");
      addresses[k] = input.offset;
    });
    const outputs: WasmAllocation[] = [];
    let scratch = 0;
    try {
      for (let k = inputCount; k < inputCount + outputCount; k++) {
        const allocation = this.#backend.allocate(bufferBytes[k] ?? 0);
        outputs.push(allocation);
        addresses[k] = allocation.offset;
      }
      scratch = this.#scratchBytes > 0 ? arena.allocate(this.#scratchBytes) : 0;
    } catch (error) {
      for (const output of outputs) output.release();
      throw error;
    }
    for (let k = inputCount + outputCount; k < bufferBytes.length; k++) addresses[k] = scratch + this.#partialBytes + (this.#scratchOffsets[k] ?? 0);
    try {
      for (const prepared of this.#steps) this.#runStep(prepared, addresses, constants, scratch);
    } finally {
      if (scratch > 0) arena.free(scratch);
    }
    return outputs;
  }

  dispose(): void {
    for (const { compiled, args } of this.#steps) if (compiled) this.#backend.arena.free(args);
  }

  #runStep({ step, kernel, compiled, args }: PreparedStep, addresses: readonly number[], constants: readonly (number | bigint)[], scratch: number): void {
    if (kernel.slots.every(({ size, isOutput }) => !isOutput || size === 0)) return;
    const bytes = this.#backend.arena.bytes();
    if (!compiled) {
      if (kernel.kind === "routine") kernel.run(kernel.slots.map((slot, k) => elementsAt(bytes, addresses[step.buffers[k] ?? 0] ?? 0, slot.dtype, slot.size)));
      return;
    }
    const { layout } = compiled.module;
    const block = new DataView(bytes.buffer, args, layout.byteLength);
    step.buffers.forEach((buffer, slot) => block.setUint32(slot * 4, addresses[buffer] ?? 0, true));
    layout.arguments.forEach((dtype, k) => writeConstant(block, layout.constants + k * 8, dtype, constants[step.constants[k] ?? 0] ?? 0));
    block.setUint32(layout.scratch, scratch, true);
    compiled.module.phases.forEach((phase, k) => {
      const chunk = chunkOf(phase);
      block.setUint32(layout.chunk, chunk, true);
      const run = compiled.phases[k];
      const count = Math.ceil(phase.length / chunk);
      for (let begin = 0; begin < phase.length; begin += chunk) run?.(args, begin, Math.min(begin + chunk, phase.length));
      compiled.joins[k]?.(args, 0, count);
    });
    compiled.finalStores?.(args, 0, 0);
  }
}

/** Instructions in one range of a phase, at least. */
const rangeWork = 1 << 17;
/** Ranges of a phase, at most. */
const rangeLimit = 64;

/** Points of the outermost axis in one range: a matter of the kernel alone, so that results do not depend on threads. */
function chunkOf(phase: LoopModule["phases"][number]): number {
  const ranges = Math.max(1, Math.min(rangeLimit, Math.floor(phase.work / rangeWork)));
  return Math.max(1, Math.ceil(phase.length / ranges / phase.granularity) * phase.granularity);
}

function partialBytesOf(module: LoopModule): number {
  let bytes = 0;
  for (const phase of module.phases) bytes = Math.max(bytes, phase.partialBytes * Math.ceil(phase.length / chunkOf(phase)));
  return bytes + module.resultBytes + 64;
}

function elementsAt(bytes: Uint8Array, offset: number, dtype: Dtype, size: number): TypedArray {
  return new (carrierOf(dtype))(bytes.buffer, offset, size);
}

/** A lifted constant in the form of its registers: half floats as float32, bool as a mask. */
function writeConstant(block: DataView, offset: number, dtype: Dtype, value: number | bigint): void {
  if (dtype === "bool") block.setInt32(offset, value ? -1 : 0, true);
  else if (byteLengthOf(dtype) === 8 && !isFloating(dtype)) block.setBigInt64(offset, BigInt.asIntN(64, BigInt(value)), true);
  else if (dtype === "float64") block.setFloat64(offset, Number(value), true);
  else if (isFloating(dtype)) block.setFloat32(offset, Number(value), true);
  else block.setInt32(offset, Number(value) | 0, true);
}

/** A contraction as a plain loop nest: for element types that the packed kernels do not take. */
function contractionAsLoops(kernel: ContractionKernel): LoopKernel {
  const { slots, label, batch, m, n, stores, result } = kernel;
  const axes = [...batch, m, n].filter(({ length }) => length !== 1);
  const inner = { axes: result.op === "reduce" ? result.axes.filter(({ length }) => length !== 1) : [], children: [], reduces: [result], stores: [] };
  const root = { axes, children: [inner], reduces: [], stores };
  return { kind: "loop", slots, arguments: kernel.arguments, label, root };
}

