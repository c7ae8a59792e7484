/** A function recorded once as a graph on placeholders, and the row that stands for one result of one call of it. */
import { MLXError } from "../base/errors.ts";
import { remembered } from "../base/remembered.ts";
import type { Moving } from "../compiler/program.ts";
import { movingIn, structureKey } from "../compiler/program.ts";
import { isOpening, MLXArray, opening } from "../graph/mlx-array.ts";
import type { Device } from "../graph/placement.ts";
import { defaultDevice, mayUseGpu, placedOn } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply, topologicalOrder } from "../graph/primitive.ts";
import type { Allocation, Backend, Executable } from "../ir/backend.ts";
import { only } from "../primitives/families.ts";
import { fromAllocation } from "../primitives/leaf.ts";
import { dependents } from "../transforms/differentiate.ts";
import { TraceCall } from "./common-call.ts";
import type { Prepared, Runtime } from "./runtime.ts";

/** Structures of recordings whose positions are remembered. */
const structureLimit = 64;

/** For each structure of recordings the positions that all have in common; null for others. */
const fixedOf = new Map<string, (number | null)[]>();

/** A recorded function: arrays in, arrays out. */
export class Trace {
  readonly placeholders: readonly MLXArray[];
  readonly outputs: readonly MLXArray[];
  /** Where all of it runs, or null if parts run on different devices. */
  readonly device: Device | null;
  /** For each output which placeholder it is; -1 for those that are computed. */
  readonly passed: readonly number[];
  /** The leaves besides the placeholders, and what is pending that depends on none of them. */
  readonly captures: readonly MLXArray[];
  /** Constants for positions at which other recordings of this structure read and update elsewhere, so that they share kernels. */
  readonly moving: Moving;
  /** What names each result of a call. */
  readonly results: readonly CallParams[];
  /** The last instantiation, which stays until the engine's job ends: a recording must not keep the arrays of a call. */
  #last: WeakRef<Instantiation> | null = null;

  constructor(placeholders: readonly MLXArray[], outputs: readonly MLXArray[]) {
    this.placeholders = placeholders;
    this.outputs = outputs;
    this.device = deviceOf(outputs);
    this.results = outputs.map((_, index) => ({ trace: this, index }));
    this.passed = outputs.map((output) => placeholders.indexOf(output));
    const inside = new Set(dependents(outputs, placeholders));
    const order = topologicalOrder(outputs, (vertex) => vertex.isEvaluated);
    this.captures = order.filter((vertex) => !inside.has(vertex));
    const lists: (readonly number[])[] = [];
    const key = structureKey(outputs, [], [], order, lists);
    if (fixedOf.size > structureLimit) fixedOf.clear();
    const fixed = lists.length === 0 ? [] : remembered(fixedOf, key, () => lists.flat());
    this.moving = movingIn(lists, fixed, []);
  }

  /** The results for other inputs, as a graph; asking again with the same inputs gives the same vertices. */
  instantiate(inputs: readonly MLXArray[]): readonly MLXArray[] {
    const last = this.#last?.deref();
    if (last && last.isOpening === isOpening() && last.inputs.length === inputs.length) {
      const isKept = last.outputs.every(({ isDisposed }) => !isDisposed);
      if (isKept && last.inputs.every((input, k) => input === inputs[k])) return last.outputs;
    }
    const replaced = new Map<MLXArray, MLXArray>();
    this.placeholders.forEach((placeholder, k) => {
      replaced.set(placeholder, inputs[k] ?? placeholder);
    });
    for (const vertex of dependents(this.outputs, this.placeholders)) {
      if (replaced.has(vertex)) continue;
      const own = vertex.inputs.map((input) => replaced.get(input) ?? input);
      replaced.set(
        vertex,
        placedOn(vertex.device, () => apply(vertex.primitive, own, vertex.params)),
      );
    }
    const outputs = this.outputs.map((output) => replaced.get(output) ?? output);
    this.#last = new WeakRef({ inputs, outputs, isOpening: isOpening() });
    return outputs;
  }
}

/** Results of a call as a graph; those for a plan are not those of a graph. */
interface Instantiation {
  readonly inputs: readonly MLXArray[];
  readonly outputs: readonly MLXArray[];
  readonly isOpening: boolean;
}

interface CallParams {
  readonly trace: Trace;
  readonly index: number;
}

/** Why the results of a call have no rules. */
const whereCalled = "what a transform calls is the function itself";

/** Result `index` of a call of a recorded function; all results of one call share one list of inputs. */
const callRow: Primitive<CallParams> = {
  name: "compiled",
  aval: (_, { trace, index }) => only("compiled", trace.outputs[index]),
  lowering: {
    kind: "composite",
    define: (inputs, { trace, index }) => only("compiled", trace.instantiate(inputs)[index]),
    captures: ({ trace }) => trace.captures,
    moving: ({ trace }) => trace.moving,
  },
  derivative: { kind: "none", because: whereCalled },
  batch: () => {
    throw new MLXError("compiled", whereCalled);
  },
};

/** All results of a call of `trace`; an argument that it returns is that argument. */
export function callTrace(trace: Trace, inputs: readonly MLXArray[]): readonly MLXArray[] {
  if (trace.device === null) return trace.instantiate(inputs);
  const call = new Call(trace, trace.device, inputs);
  call.outputs = placedOn(trace.device, () =>
    trace.results.map((params, index) => {
      const argument = inputs[trace.passed[index] ?? -1];
      return argument ?? new MLXArray(callRow, inputs, params, only("compiled", trace.outputs[index]), call);
    }),
  );
  return call.outputs;
}

class Call extends TraceCall {
  readonly device: Device;
  outputs: readonly MLXArray[] = [];
  readonly #trace: Trace;
  readonly #inputs: readonly MLXArray[];

  constructor(trace: Trace, device: Device, inputs: readonly MLXArray[]) {
    super();
    this.device = device;
    this.#trace = trace;
    this.#inputs = inputs;
  }

  /** From the plan made at the first call. */
  run(runtime: Runtime): Promise<Allocation[]> | Allocation[] {
    const trace = this.#trace;
    let ofRuntime = plans.get(runtime);
    if (!ofRuntime) {
      ofRuntime = new WeakMap();
      plans.set(runtime, ofRuntime);
    }
    let prepared = ofRuntime.get(trace);
    if (!prepared) {
      prepared = prepareTrace(trace, runtime);
      ofRuntime.set(trace, prepared);
      registry.register(trace, prepared.executable);
    }
    return runtime.run(prepared, this.#inputs, []);
  }
}

/** The device of every operation behind `outputs`, or null if they differ. */
function deviceOf(outputs: readonly MLXArray[]): Device | null {
  if (!mayUseGpu()) return "cpu";
  const devices = new Set(
    topologicalOrder(outputs, (array) => array.isEvaluated)
      .filter(({ isEvaluated, primitive }) => !isEvaluated && primitive.lowering.kind !== "data")
      .map(({ device }) => device),
  );
  const [first = defaultDevice()] = devices;
  return devices.size > 1 ? null : first;
}

/** Plans of recorded functions, by who runs them. */
const plans = new WeakMap<Runtime, WeakMap<Trace, Prepared>>();

function prepareTrace(trace: Trace, runtime: Runtime): Prepared {
  const none = noMemory(runtime.backend);
  const inputs = trace.placeholders.map((placeholder) => fromAllocation(none, placeholder));
  const roots = opening(() => trace.instantiate(inputs));
  return runtime.prepare(roots, inputs, [], trace.moving);
}

/** Stands for the memory of inputs while a recorded function is planned. */
function noMemory(backend: Backend): Allocation {
  return {
    backend,
    byteLength: 0,
    copies: null,
    bytes: () => null,
    read: (use) => use(new Uint8Array(0)),
    retain: () => {},
    release: () => {},
  };
}

/** Frees the plans of recorded functions that nobody can call any more. */
const registry = new FinalizationRegistry<Executable>((executable) => executable.dispose());
