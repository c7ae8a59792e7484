/** Where computations run: the backend in use and the plans it has prepared. */

import { elementsOf } from "../base/elements.ts";
import { MLXError, OutOfMemoryError } from "../base/errors.ts";
import { MissingPart } from "../base/part.ts";
import type { Planned } from "../compiler/plan.ts";
import { planProgram } from "../compiler/plan.ts";
import type { Moving } from "../compiler/program.ts";
import { movingIn, Program, pendingOrder, structureKey } from "../compiler/program.ts";
import { weightOf } from "../compiler/weight.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Allocation, Backend, Executable } from "../ir/backend.ts";
import { constantOf } from "../primitives/leaf.ts";
import { commonCall } from "./common-call.ts";
import { residentIn } from "./several-devices.ts";

/** A plan prepared for a backend. */
export interface Prepared {
  readonly executable: Executable;
  readonly planned: Planned;
}

/** What graphs of one structure have in common. */
interface Family {
  /** Their positions; null for those that have not always been the same. */
  readonly fixed: (number | null)[];
  /** The plan of the last evaluation, with as many constants: one more for each position that is not fixed. */
  prepared?: Prepared;
  arity: number;
  /** Those of plans before it, too, which may still run. */
  readonly executables: Executable[];
  /** The number of the last evaluation of one. */
  lastUse: number;
}

/** Structures whose plans are kept for reuse; the least recently used one goes first. */
const planLimit = 512;

/** Bytes by which the memory in use may grow before an evaluation gives finalizers a turn, or half of what was in use if that is more. */
const growthBetweenPauses = 32 * 1024 * 1024;
/** Arrays of a few bytes grow too slowly for that, yet each holds a record: so also after this many evaluations. */
const evaluationsBetweenPauses = 4096;

/**
 * Evaluations that compute an array on their way to others before one keeps it. Two are usual: the loss is read, and then the
 * parameters that follow from it are computed, whose gradients need what the loss needed.
 */
const passesBeforeKept = 2;
/** Bytes of the largest array that is kept without having been asked for. */
const keptLimit = 64 * 1024 * 1024;

/** One backend with its plans. */
export class Runtime {
  readonly backend: Backend;
  readonly fusion: boolean;
  readonly #families = new Map<string, Family>();
  /** The least memory in use since the last pause. */
  #leastActive = 0;
  #evaluationsSincePause = 0;
  #uses = 0;

  constructor(backend: Backend, options: { readonly fusion: boolean }) {
    this.backend = backend;
    this.fusion = options.fusion;
  }

  /** Computes `roots`, none of which is evaluated, and settles them; at once where nothing is to be waited for. */
  evaluate(roots: readonly MLXArray[]): Promise<void> | undefined {
    let running: Promise<void> | undefined;
    try {
      running = this.#evaluate(roots);
    } catch (error) {
      running = Promise.reject(error);
    }
    if (!running) return this.#pauseIfDue();
    return running.catch((error) => this.#evaluateAgain(roots, error, false)).then(() => this.#pauseIfDue());
  }

  #pauseIfDue(): Promise<void> | undefined {
    const { active } = this.backend.memory();
    this.#leastActive = Math.min(this.#leastActive, active);
    const isDue = ++this.#evaluationsSincePause >= evaluationsBetweenPauses;
    if (!isDue && active <= this.#leastActive + Math.max(growthBetweenPauses, this.#leastActive / 2)) return undefined;
    return this.#pause();
  }

  /** Removes what an evaluation failed of, where that is possible, and evaluates what is still to be computed. */
  async #evaluateAgain(roots: readonly MLXArray[], error: unknown, hasPaused: boolean): Promise<void> {
    const isExhausted = error instanceof OutOfMemoryError;
    if (error instanceof MissingPart) await error.load();
    else if (isExhausted && !hasPaused) {
      await this.#pause();
      this.backend.clearCache();
    } else throw isExhausted ? withShape(error, roots) : error;
    // Others may have computed, or disposed, some of them meanwhile.
    const pending = roots.filter((root) => !root.isEvaluated && !root.isDisposed);
    if (pending.length === 0) return;
    try {
      await this.#evaluate(pending, false);
    } catch (next) {
      await this.#evaluateAgain(pending, next, hasPaused || isExhausted);
    }
  }

  /** Lets the finalizers of collected arrays run: they wait for the current stretch of promises to end. */
  async #pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#leastActive = this.backend.memory().active;
    this.#evaluationsSincePause = 0;
  }

  #evaluate(asked: readonly MLXArray[], keepsMore = true): Promise<void> | undefined {
    const call = commonCall(asked);
    if (call) return settleAll(call.outputs, call.run(this));
    const inputs: MLXArray[] = [];
    const constants: MLXArray[] = [];
    const order = pendingOrder(asked);
    if (keepsMore) for (const array of order) array.passes++;
    const roots = keepsMore ? [...asked, ...passedOften(order, asked)] : asked;
    const lists: (readonly number[])[] = [];
    const key = structureKey(roots, inputs, constants, order, lists);
    let family = this.#families.get(key);
    if (!family) {
      this.#trim();
      family = { fixed: lists.flat(), arity: 0, executables: [], lastUse: 0 };
      this.#families.set(key, family);
    }
    family.lastUse = ++this.#uses;
    const moving = lists[0] && movingIn(lists, family.fixed, constants);
    let { prepared } = family;
    if (!prepared || family.arity !== constants.length) {
      prepared = this.prepare(roots, inputs, constants, moving);
      family.prepared = prepared;
      family.arity = constants.length;
      family.executables.push(prepared.executable);
    }
    return settleAll(roots, this.run(prepared, inputs, constants));
  }

  /**
   * Plans and compiles the computation of `roots` from inputs and constants that may be others at each run.
   *
   * @throws {MissingPart} if something it needs is not loaded
   */
  prepare(
    roots: readonly MLXArray[],
    inputs: readonly MLXArray[],
    constants: readonly MLXArray[],
    moving?: Moving,
  ): Prepared {
    const { backend, fusion } = this;
    const program = new Program(roots, (call) => backend.overrides(call), moving);
    const planned = planProgram(program, { inputs, constants }, { fusion, slotLimit: backend.slotLimit });
    for (const { kernel } of planned.plan.steps) if (kernel.kind === "routine") kernel.part?.get();
    return { executable: backend.prepare(planned.plan), planned };
  }

  /** The allocations of the roots of `prepared`, each retained for the caller; inputs and constants in the order they were prepared in. */
  run(
    { executable, planned: { rootBuffers, inputSources, constantSources } }: Prepared,
    inputs: readonly MLXArray[],
    constants: readonly MLXArray[],
  ): Promise<Allocation[]> | Allocation[] {
    const held = inputSources.map((source) => this.#allocationOf(typeof source === "number" ? inputs[source] : source));
    const values = constantSources.map((source) =>
      scalarValue(typeof source === "number" ? constants[source] : source),
    );
    return pickRoots(
      rootBuffers,
      held,
      held.every(({ backend }) => backend === this.backend)
        ? executable.run(held, values)
        : Promise.all(held.map((allocation) => residentIn(this.backend, allocation))).then((here) =>
            executable.run(here, values),
          ),
    );
  }

  #allocationOf(array: MLXArray | undefined): Allocation {
    // A disposed array keeps its memory until the computations that were pending then are done.
    if (array?.allocation && !array.allocation.isBroken) return array.allocation;
    const value = array ? constantOf(array) : null;
    if (!array || value === null) {
      array?.requireKept("evaluate");
      throw new MLXError("evaluate", "an input has no value");
    }
    array.allocation = this.backend.upload(elementsOf(array.dtype, [value]));
    return array.allocation;
  }

  /** Makes room for a family. */
  #trim(): void {
    if (this.#families.size < planLimit) return;
    const [oldest] = [...this.#families].sort(([, a], [, b]) => a.lastUse - b.lastUse);
    if (!oldest) return;
    for (const executable of oldest[1].executables) executable.dispose();
    this.#families.delete(oldest[0]);
  }
}

/**
 * What an evaluation that computes `order` keeps besides `roots`: the topmost of what was computed often enough, without views,
 * which cost nothing, and without what is large. So a loop that only reads its loss does not compute all steps before again.
 * `more` evaluations are counted as if they had been.
 */
export function passedOften(order: readonly MLXArray[], roots: readonly MLXArray[], more = 0): readonly MLXArray[] {
  const isOften = (array: MLXArray): boolean => !array.isEvaluated && array.passes + more > passesBeforeKept;
  if (!order.some(isOften)) return [];
  const reached = new Set(roots);
  return order.toReversed().filter((array) => {
    if (!reached.has(array) || array.isEvaluated) return false;
    const { inputs, nbytes, primitive } = array;
    const isFree = primitive.lowering.kind === "map" && weightOf(array, inputs) === 0;
    const isKept = isOften(array) && nbytes <= keptLimit && !isFree;
    if (!isKept) for (const input of inputs) reached.add(input);
    return isKept;
  });
}

function pickRoots(
  rootBuffers: readonly number[],
  inputs: readonly Allocation[],
  outputs: Promise<readonly Allocation[]> | readonly Allocation[],
): Promise<Allocation[]> | Allocation[] {
  if (outputs instanceof Promise) {
    // Whoever else had them may let go of them before the run has read them.
    for (const input of inputs) input.retain();
    const letGo = (): void => {
      for (const input of inputs) input.release();
    };
    return outputs.then((done) => pickRoots(rootBuffers, inputs, done)).finally(letGo);
  }
  // Outputs are numbered as roots first need them.
  let taken = 0;
  return rootBuffers.map((buffer) => {
    const allocation = buffer < 0 ? inputs[-1 - buffer] : outputs[buffer];
    if (!allocation) throw new MLXError("evaluate", "a result has no memory");
    if (buffer === taken) taken++;
    else allocation.retain();
    return allocation;
  });
}

function settleAll(
  roots: readonly MLXArray[],
  allocations: Promise<readonly Allocation[]> | readonly Allocation[],
): Promise<void> | undefined {
  if (allocations instanceof Promise) return allocations.then((done) => settleAll(roots, done));
  roots.forEach((root, k) => {
    const allocation = allocations[k];
    // One that was disposed, but is read by a pending computation, is not computed again for it.
    if (allocation && !root.isEvaluated && (!root.isDisposed || root.pendingUses > 0)) root.settle(allocation);
    else allocation?.release();
  });
  return undefined;
}

/** The error of exhausted memory, with the largest of the arrays that were asked for and that these are computed from. */
function withShape(error: OutOfMemoryError, roots: readonly MLXArray[]): OutOfMemoryError {
  const pending = new Set(roots);
  for (const { inputs } of pending) for (const input of inputs) if (!input.isEvaluated) pending.add(input);
  const [largest] = [...pending].sort((a, b) => b.nbytes - a.nbytes);
  return new OutOfMemoryError("evaluate", `${String(largest)} does not fit: ${error.message}`, { cause: error });
}

/** The value of an array that is a constant. */
export function scalarValue(array: MLXArray | undefined): number | bigint {
  const value = array ? constantOf(array) : null;
  if (value === null) throw new MLXError("evaluate", "an input has no value");
  return value;
}
