/** Groups the vertices of a program into kernels. Consumers are grouped before producers; a producer then joins, or not. */
import { remembered } from "../base/remembered.ts";
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Lowered } from "./lower.ts";
import { lowerLoops } from "./lower.ts";
import { otherKernels } from "./other-kernels.ts";
import type { Program } from "./program.ts";
import { weightOf } from "./weight.ts";

/** Vertices computed by one kernel. */
export interface Group {
  /** The routine, or the first output. */
  readonly vertex: MLXArray;
  readonly lowered: Lowered<Kernel>;
}

/** How kernels are made of a program. */
export interface PlanOptions {
  /** Whether operations share kernels at all. */
  readonly fusion: boolean;
  /** The most buffers that a kernel of loops or a contraction may be bound to. */
  readonly slotLimit: number;
}

interface Draft {
  kind: "loop" | "contraction" | "routine";
  readonly outputs: MLXArray[];
  readonly members: Set<MLXArray>;
  core: MLXArray | null;
  reductions: number;
}

/** Work per element up to which recomputing a value in every kernel that reads it is cheaper than storing it. */
const recomputeLimit = 6;
/** Work per element from which a value is not recomputed for every element it is broadcast to. */
const broadcastLimit = 10;
/** The same where a contraction packs the elements: a condition on each, such as padding, keeps it from copying in vectors. */
const packingLimit = 4;
/** Vertices per kernel; keeps expressions shallow and kernels small. */
const memberLimit = 160;

/** The kernels of `program`, in an order in which each finds its inputs computed. */
export function fuse(program: Program, options: PlanOptions): Lowered<Kernel>[] {
  return new Fusion(program, options).run();
}

class Fusion {
  readonly #program: Program;
  readonly #options: PlanOptions;
  readonly #position = new Map<MLXArray, number>();
  readonly #cost = new Map<MLXArray, number>();
  /** Vertices computed from a contraction or reduction by elementwise operations alone. */
  readonly #hasSource = new Set<MLXArray>();
  readonly #required = new Set<MLXArray>();
  readonly #draftsOf = new Map<MLXArray, Set<Draft>>();
  readonly #producerOf = new Map<MLXArray, Draft>();
  readonly #drafts = new Set<Draft>();

  constructor(program: Program, options: PlanOptions) {
    this.#program = program;
    this.#options = options;
    program.vertices.forEach((vertex, position) => {
      this.#position.set(vertex, position);
      this.#measure(vertex);
    });
    for (const root of program.roots) this.#required.add(program.storageOf(root));
  }

  run(): Lowered<Kernel>[] {
    const { vertices } = this.#program;
    for (let i = vertices.length - 1; i >= 0; i--) {
      const vertex = vertices[i];
      if (vertex && this.#isNeeded(vertex)) this.#assign(vertex);
    }
    const groups = this.#finish();
    return groups.length > 1
      ? otherKernels.get().orderKernels(groups, this.#position, this.#required)
      : groups.map(({ lowered }) => lowered);
  }

  #measure(vertex: MLXArray): void {
    const { lowering } = vertex.primitive;
    if (lowering.kind !== "map" || lowering.isStored) return;
    const inputs = this.#program.inputsOf(vertex);
    let cost = weightOf(vertex, inputs);
    for (const input of inputs) {
      const kind = input.allocation ? "data" : input.primitive.lowering.kind;
      if (kind === "map") cost += this.#cost.get(input) ?? 0;
      const isSource = kind === "contraction" || kind === "reduce" || kind === "routine" || this.#hasSource.has(input);
      if (isSource && input.size === vertex.size) this.#hasSource.add(vertex);
    }
    this.#cost.set(vertex, Math.min(cost, 1e6));
  }

  #isNeeded(vertex: MLXArray): boolean {
    return this.#required.has(vertex) || this.#readers(vertex).size > 0;
  }

  /** The drafts in which a user of `vertex` is computed. */
  #readers(vertex: MLXArray): Set<Draft> {
    const readers = new Set<Draft>();
    for (const user of this.#program.users.get(vertex) ?? [])
      for (const draft of this.#draftsOf.get(user) ?? []) readers.add(draft);
    return readers;
  }

  #assign(vertex: MLXArray): void {
    if (vertex.size === 0) return; // Nothing to compute.
    const { lowering } = vertex.primitive;
    const { kind } = lowering;
    if (kind === "routine" || kind === "composite") {
      this.#start(vertex, "routine");
      for (const input of this.#program.inputsOf(vertex)) this.#required.add(this.#program.storageOf(input));
    } else if (!this.#options.fusion) {
      this.#start(vertex, kind === "contraction" ? "contraction" : "loop");
    } else if (kind === "contraction") this.#assignContraction(vertex);
    else if (kind === "reduce") this.#assignReduction(vertex);
    else if (kind === "map" && lowering.isStored) this.#start(vertex, "loop");
    else this.#assignMap(vertex);
  }

  #assignContraction(vertex: MLXArray): void {
    const readers = this.#readers(vertex);
    for (const draft of readers) {
      const fits =
        draft.kind === "loop" && draft.reductions === 0 && draft.outputs.every(({ size }) => size === vertex.size);
      if (!fits || !this.#isAligned(vertex, draft) || !this.#canPrecede(draft, readers)) continue;
      draft.kind = "contraction";
      draft.core = vertex;
      const mustStore = this.#required.has(vertex) || readers.size > 1;
      this.#join(vertex, draft, mustStore);
      if (this.#fits(draft) && this.#lower(draft)) return;
      this.#leave(vertex, draft);
      draft.kind = "loop";
      draft.core = null;
    }
    this.#start(vertex, "contraction");
  }

  #assignReduction(vertex: MLXArray): void {
    const readers = [...this.#readers(vertex)];
    const mustStore = this.#required.has(vertex);
    if (readers.length > 0 && readers.every((draft) => draft.kind === "loop" && draft.members.size < memberLimit)) {
      const merged =
        readers.length === 1 || this.#areIndependent(readers) ? this.#tryMerged(readers, vertex, mustStore) : false;
      if (merged) return;
      for (const draft of readers) {
        if (readers.length > 1 && this.#canPrecede(draft, new Set(readers)) && this.#tryMerged([draft], vertex, true))
          return;
      }
    }
    this.#start(vertex, "loop");
  }

  #assignMap(vertex: MLXArray): void {
    const readers = this.#readers(vertex);
    if (this.#required.has(vertex)) {
      this.#store(vertex, readers);
      return;
    }
    const list = [...readers];
    if (list.some((draft) => draft.members.size >= memberLimit || !this.#fits(draft, vertex))) {
      this.#start(vertex, "loop");
      return;
    }
    const cost = this.#cost.get(vertex) ?? 0;
    const isView = weightOf(vertex, this.#program.inputsOf(vertex)) === 0;
    const isPacked = list.every((draft) => draft.kind === "contraction" && !this.#isAligned(vertex, draft));
    // What a view shows is stored if it must be, rather than the view of it.
    if (isPacked && (list.length === 1 ? isView || this.#padsLines(vertex) : this.#padsLines(vertex))) {
      for (const draft of list) this.#join(vertex, draft, false);
      return;
    }
    if (isPacked && !isView && list.some((draft) => this.#isPadded(vertex, draft))) {
      this.#start(vertex, "loop");
      return;
    }
    if (list.length === 1) {
      const [draft] = list;
      if (!draft) return;
      const isHeavy = isPacked && !isView && this.#hasSource.has(vertex);
      if (isHeavy || this.#wouldRepeat(vertex, draft, cost, isPacked ? packingLimit : broadcastLimit)) {
        this.#start(vertex, "loop");
        return;
      }
      this.#join(vertex, draft, false);
      return;
    }
    const isCheap = cost <= recomputeLimit && !this.#hasSource.has(vertex);
    if ((isView && !this.#hasSource.has(vertex)) || isCheap || this.#isFreeView(vertex, isView)) {
      for (const draft of list) this.#join(vertex, draft, false);
      return;
    }
    const isMergeable = list.every(
      (draft) =>
        draft.kind === "loop" &&
        draft.reductions === 0 &&
        this.#isAligned(vertex, draft) &&
        this.#isUniform(draft, vertex.size),
    );
    if (isMergeable && this.#fits(unionOf(list), vertex) && this.#areIndependent(list)) {
      this.#join(vertex, this.#merge(list), false);
      return;
    }
    this.#store(vertex, readers);
  }

  #padsLines(vertex: MLXArray): boolean {
    return otherKernels.get().padsLines(vertex, (user) => this.#program.inputsOf(user));
  }

  /** Whether `draft` reads `vertex` through padding, and can pack it line by line if it is stored. */
  #isPadded(vertex: MLXArray, draft: Draft): boolean {
    const users = this.#program.users.get(vertex) ?? [];
    return users.some((user) => draft.members.has(user) && this.#padsLines(user));
  }

  /** A view is worth storing only where storing saves the work of what it shows; then that is stored itself. */
  #isFreeView(vertex: MLXArray, isView: boolean): boolean {
    return isView && vertex.primitive.lowering.kind === "map" && this.#program.inputsOf(vertex).length === 1;
  }

  #store(vertex: MLXArray, readers: ReadonlySet<Draft>): void {
    for (const draft of readers) {
      if (draft.kind === "routine" || draft.members.size >= memberLimit || !this.#isUniform(draft, vertex.size))
        continue;
      if (!this.#isAligned(vertex, draft) || !this.#canPrecede(draft, readers)) continue;
      this.#join(vertex, draft, true);
      if (this.#fits(draft) && this.#lower(draft)) return;
      this.#leave(vertex, draft);
    }
    this.#start(vertex, "loop");
  }

  /** Whether `draft`, with `added` computed in it, reads and writes no more buffers than a kernel may. */
  #fits({ members, outputs }: Pick<Draft, "members" | "outputs">, added?: MLXArray): boolean {
    if (!Number.isFinite(this.#options.slotLimit)) return true;
    const slots = new Set(outputs);
    for (const member of added ? [...members, added] : members) {
      for (const input of this.#program.inputsOf(member)) {
        const isInside = members.has(input) || input === added || input.primitive.lowering.kind === "constant";
        if (!isInside) slots.add(this.#program.storageOf(input));
      }
    }
    return slots.size <= this.#options.slotLimit;
  }

  #start(vertex: MLXArray, kind: Draft["kind"]): void {
    const draft: Draft = {
      kind,
      outputs: [],
      members: new Set(),
      core: kind === "contraction" ? vertex : null,
      reductions: 0,
    };
    this.#drafts.add(draft);
    this.#join(vertex, draft, true);
  }

  #join(vertex: MLXArray, draft: Draft, isOutput: boolean): void {
    draft.members.add(vertex);
    if (vertex.primitive.lowering.kind === "reduce") draft.reductions++;
    if (isOutput) {
      draft.outputs.push(vertex);
      this.#producerOf.set(vertex, draft);
    }
    remembered(this.#draftsOf, vertex, () => new Set()).add(draft);
  }

  #leave(vertex: MLXArray, draft: Draft): void {
    draft.members.delete(vertex);
    if (vertex.primitive.lowering.kind === "reduce") draft.reductions--;
    const position = draft.outputs.indexOf(vertex);
    if (position !== -1) {
      draft.outputs.splice(position, 1);
      this.#producerOf.delete(vertex);
    }
    this.#draftsOf.get(vertex)?.delete(draft);
  }

  /** All of `drafts` as one. */
  #merge(drafts: readonly Draft[]): Draft {
    const [first, ...others] = drafts;
    if (!first) throw new RangeError("no draft");
    this.#alignment.delete(first);
    for (const other of others) {
      this.#drafts.delete(other);
      for (const member of other.members) {
        this.#draftsOf.get(member)?.delete(other);
        if (!first.members.has(member)) this.#join(member, first, false);
      }
      for (const output of other.outputs) {
        first.outputs.push(output);
        this.#producerOf.set(output, first);
      }
    }
    return first;
  }

  /** Adds the reduction to the union of `drafts` if that lowers; leaves everything as it was otherwise. */
  #tryMerged(drafts: readonly Draft[], vertex: MLXArray, mustStore: boolean): boolean {
    const trial: Draft = { kind: "loop", ...unionOf(drafts), core: null, reductions: 0 };
    trial.members.add(vertex);
    if (mustStore) trial.outputs.push(vertex);
    if (!this.#fits(trial)) return false;
    if (!this.#lower(trial)) return false;
    this.#join(vertex, drafts.length === 1 && drafts[0] ? drafts[0] : this.#merge(drafts), mustStore);
    return true;
  }

  #lower({ outputs, members, core }: Pick<Draft, "outputs" | "members" | "core">): Lowered<Kernel> | null {
    const isStored = (vertex: MLXArray): boolean => !members.has(vertex);
    if (core) return otherKernels.get().lowerContraction(this.#program, { outputs, core }, isStored);
    return lowerLoops(this.#program, { outputs, core }, isStored);
  }

  #isUniform(draft: Draft, size: number): boolean {
    return draft.outputs.every((output) => output.size === size);
  }

  /** Whether every use of `vertex` in `draft` is at the row-major position of the outputs. */
  #isAligned(vertex: MLXArray, draft: Draft, depth = 0): boolean {
    if (depth > memberLimit) return false;
    let isUsed = false;
    for (const user of this.#program.users.get(vertex) ?? []) {
      if (!draft.members.has(user)) continue;
      isUsed = true;
      const { lowering } = user.primitive;
      if (lowering.kind !== "map" || !(lowering.isPointwise || lowering.sameElements)) return false;
      if (!this.#alignedMember(user, draft, depth)) return false;
    }
    return isUsed || draft.outputs.includes(vertex);
  }

  readonly #alignment = new WeakMap<Draft, Map<MLXArray, boolean>>();

  #alignedMember(member: MLXArray, draft: Draft, depth: number): boolean {
    const known = remembered(this.#alignment, draft, () => new Map());
    const cached = known.get(member);
    if (cached !== undefined) return cached;
    const hasUserHere = (this.#program.users.get(member) ?? []).some((user) => draft.members.has(user));
    const result = hasUserHere ? this.#isAligned(member, draft, depth + 1) : draft.outputs.includes(member);
    known.set(member, result);
    return result;
  }

  #wouldRepeat(vertex: MLXArray, draft: Draft, cost: number, limit: number): boolean {
    if (cost < limit || vertex.size <= 1) return false;
    return (this.#program.users.get(vertex) ?? []).some((user) => {
      if (!draft.members.has(user) || user.primitive.lowering.kind !== "map") return false;
      return this.#repeats(user, vertex.size, draft);
    });
  }

  /** Whether `user`, or a view of it, has more elements than `size`. */
  #repeats(user: MLXArray, size: number, draft: Draft): boolean {
    if (user.size > size) return true;
    const { lowering } = user.primitive;
    const isView = lowering.kind === "map" && weightOf(user, this.#program.inputsOf(user)) === 0;
    return (
      isView &&
      (this.#program.users.get(user) ?? []).some(
        (next) => draft.members.has(next) && next.primitive.lowering.kind === "map" && sizeOf(next.shape) > size,
      )
    );
  }

  /** Whether `draft` can run before all the other `readers`. */
  #canPrecede(draft: Draft, readers: ReadonlySet<Draft>): boolean {
    const others = new Set(readers);
    others.delete(draft);
    return others.size === 0 || !this.#dependsOn(draft, others);
  }

  #areIndependent(drafts: readonly Draft[]): boolean {
    return drafts.every((draft) => this.#canPrecede(draft, new Set(drafts)));
  }

  /** Whether `draft` needs, directly or not, what one of `targets` computes. */
  #dependsOn(draft: Draft, targets: ReadonlySet<Draft>): boolean {
    let earliest = Number.POSITIVE_INFINITY;
    for (const target of targets)
      for (const member of target.members) earliest = Math.min(earliest, this.#position.get(member) ?? 0);
    const seenDrafts = new Set<Draft>();
    const seen = new Set<MLXArray>();
    const stack: MLXArray[] = [];
    const visitDraft = (visited: Draft): void => {
      seenDrafts.add(visited);
      for (const member of visited.members) {
        for (const input of this.#program.inputsOf(member)) if (!visited.members.has(input)) stack.push(input);
      }
    };
    visitDraft(draft);
    for (let vertex = stack.pop(); vertex; vertex = stack.pop()) {
      if (seen.has(vertex)) continue;
      seen.add(vertex);
      const producer = this.#producerOf.get(vertex);
      if (producer) {
        // Its kernel may need later vertices than this one, so position says nothing about it.
        if (targets.has(producer)) return true;
        if (!seenDrafts.has(producer)) visitDraft(producer);
      } else if ((this.#position.get(vertex) ?? -1) >= earliest) stack.push(...this.#program.inputsOf(vertex));
    }
    return false;
  }

  /** Lowers every draft; one that does not lower is computed vertex by vertex. */
  #finish(): Group[] {
    const wholes: MLXArray[] = [];
    const groups: Group[] = [];
    for (const draft of this.#drafts) {
      const [vertex] = draft.outputs;
      if (!vertex) continue;
      if (draft.kind === "routine") wholes.push(vertex);
      else {
        const lowered = this.#lower(draft);
        groups.push(...(lowered ? [{ vertex, lowered }] : this.#apart(draft)));
      }
    }
    if (wholes.length > 0) groups.push(...otherKernels.get().lowerWhole(this.#program, wholes));
    return groups;
  }

  /** Each vertex of `draft` in a kernel of its own, but for those that another kernel stores. */
  #apart(draft: Draft): Group[] {
    return [...draft.members].flatMap((vertex) => {
      if ((this.#producerOf.get(vertex) ?? draft) !== draft) return [];
      const core = vertex.primitive.lowering.kind === "contraction" ? vertex : null;
      const lowered = this.#lower({ outputs: [vertex], members: new Set([vertex]), core });
      if (!lowered) throw new RangeError(`${vertex.primitive.name} does not lower`);
      this.#producerOf.set(vertex, draft);
      return [{ vertex, lowered }];
    });
  }
}

/** What is computed and stored by any of `drafts`. */
function unionOf(drafts: readonly Draft[]): Pick<Draft, "members" | "outputs"> {
  return {
    outputs: [...new Set(drafts.flatMap(({ outputs }) => outputs))],
    members: new Set(drafts.flatMap(({ members }) => [...members])),
  };
}
