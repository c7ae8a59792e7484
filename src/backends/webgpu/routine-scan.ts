/** Cumulative operations along rows of any length: threads scan a few elements each, then their totals, then those of blocks. */
import { MLXError } from "../../base/errors.ts";
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { outputSlot, paramsOf, RoutineShader, routineThreads, rowsOf } from "./routine-shader.ts";
import type { ScanOperation, ScanState } from "./scan-operation.ts";
import { cumulative, linearRecurrence } from "./scan-operation.ts";

/** Elements that a thread scans one after the other. */
const perThread = 8;
/** Elements of a block. */
const blockLength = routineThreads * perThread;

/** Cumulative operations, and linear recurrences. */
export function emitScan(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { call } = kernel;
  const params = paramsOf(call);
  const { dtype } = call.output;
  if (!("reverse" in params) || typeof params.reverse !== "boolean")
    throw new MLXError(call.name, "does not say where it begins");
  const op = "op" in params ? String(params.op) : "";
  const operation = call.name === "recurrence" ? linearRecurrence(dtype) : cumulative(op, dtype);
  return new ScanEmitter(kernel, target, operation, params.reverse).emit();
}

class ScanEmitter {
  readonly #kernel: RoutineKernel;
  readonly #target: GpuTarget;
  readonly #operation: ScanOperation;
  readonly #reverse: boolean;
  readonly #rows: number;
  readonly #length: number;

  constructor(kernel: RoutineKernel, target: GpuTarget, operation: ScanOperation, reverse: boolean) {
    this.#kernel = kernel;
    this.#target = target;
    this.#operation = operation;
    this.#reverse = reverse;
    const { rows, length } = rowsOf(kernel.call.output);
    this.#rows = rows;
    this.#length = length;
  }

  emit(): GpuKernelCode {
    if (this.#length <= blockLength) return { dispatches: [this.#scan(1)], scratchBytes: [] };
    const blocks = Math.ceil(this.#length / blockLength);
    const bytes = this.#rows * blocks * 4;
    return {
      dispatches: [this.#totals(blocks), this.#scanTotals(blocks), this.#scan(blocks)],
      scratchBytes: this.#operation.parts.map(() => bytes),
    };
  }

  /** Each block's total, into scratch memory. */
  #totals(blocks: number): GpuDispatch {
    const routine = new RoutineShader(this.#kernel, this.#target);
    const { shader } = routine;
    const { row, first } = this.#place(routine, blocks, routineThreads);
    this.#own(routine, row, first, null);
    this.#joinTeam(routine, routineThreads);
    shader.block(`if (thread == ${routineThreads - 1}u)`, () => {
      const place = shader.let("block", `${row} * ${blocks} + ${first} / ${blockLength}`);
      this.#operation.parts.forEach((part, k) => {
        shader.line(`${routine.memory.scratch(k, part, true)}[${place}] = total${k};`);
      });
    });
    return routine.dispatch();
  }

  /** Totals become those of all blocks up to each: one workgroup a row, a stretch of them at a time. */
  #scanTotals(blocks: number): GpuDispatch {
    const routine = new RoutineShader(this.#kernel, this.#target);
    const { shader } = routine;
    const row = routine.group(this.#rows);
    const stretches = Math.ceil(blocks / routineThreads);
    this.#variables(routine, "before");
    this.#variables(routine, "total");
    shader.block(`for (var stretch = 0; stretch < ${stretches}; stretch++)`, () => {
      const block = shader.let("block", `stretch * ${routineThreads} + i32(thread)`);
      const place = shader.let("place", `${row} * ${blocks} + min(${block}, ${blocks - 1})`);
      const names = this.#operation.parts.map((part, k) => `${routine.memory.scratch(k, part, true)}[${place}]`);
      this.#assign(routine, "total", names);
      this.#joinTeam(routine, routineThreads);
      shader.block("if (stretch > 0)", () => {
        this.#assign(routine, "total", this.#operation.combine(routine, this.#names("before"), this.#names("total")));
      });
      shader.block(`if (${block} < ${blocks})`, () => {
        names.forEach((name, k) => {
          shader.line(`${name} = total${k};`);
        });
      });
      // The last thread knows the total of the stretch.
      shader.line("workgroupBarrier();");
      shader.block(`if (thread == ${routineThreads - 1}u)`, () => {
        this.#operation.parts.forEach((_, k) => {
          shader.line(`shared${k}[0] = total${k};`);
        });
      });
      shader.line("workgroupBarrier();");
      this.#assign(
        routine,
        "before",
        this.#operation.parts.map((_, k) => `shared${k}[0]`),
      );
      shader.line("workgroupBarrier();");
    });
    return routine.dispatch();
  }

  /** The results of every block, given the totals of the blocks before it; short rows share a workgroup. */
  #scan(blocks: number): GpuDispatch {
    const routine = new RoutineShader(this.#kernel, this.#target);
    const { shader } = routine;
    const team = blocks > 1 ? routineThreads : Math.min(routineThreads, powerAbove(this.#length / perThread));
    const { row, first, member, isInside } = this.#place(routine, blocks, team);
    const values = this.#own(routine, row, first, isInside);
    if (team > 1) this.#joinTeam(routine, team);
    // What comes before the thread's own elements: the threads before it, and the blocks before those.
    this.#variables(routine, "before");
    shader.line(`var hasBefore = ${team === 1 ? "false" : `${member} > 0`};`);
    if (team > 1) {
      shader.block("if (hasBefore)", () => {
        this.#assign(
          routine,
          "before",
          this.#operation.parts.map((_, k) => `shared${k}[thread - 1u]`),
        );
      });
    }
    if (blocks > 1) {
      const block = shader.let("block", `${first} / ${blockLength}`);
      shader.block(`if (${block} > 0)`, () => {
        const stored = this.#operation.parts.map((part, k) =>
          shader.let("stored", `${routine.memory.scratch(k, part, false)}[${row} * ${blocks} + ${block} - 1]`),
        );
        const joined = this.#operation
          .combine(routine, stored, this.#names("before"))
          .map((text, k) => `select(${stored[k]}, ${text}, hasBefore)`)
          .map((text) => shader.let("joined", text));
        this.#assign(routine, "before", joined);
        shader.line("hasBefore = true;");
      });
    }
    const output = outputSlot(this.#kernel);
    for (const [k, value] of values.entries()) {
      shader.block(`if (${this.#isWithin(k, first, isInside)})`, () => {
        const joined = this.#operation
          .combine(routine, this.#names("before"), value)
          .map((text, part) => shader.let("joined", `select(${value[part]}, ${text}, hasBefore)`));
        const at = this.#position(row, `${first} + ${k}`);
        shader.line(routine.memory.store(output, at, this.#operation.finish(routine, joined)));
      });
    }
    return routine.dispatch();
  }

  /** The row of a thread, its first element counted in the order of the scan, and its place in its team. */
  #place(
    routine: RoutineShader,
    blocks: number,
    team: number,
  ): { readonly row: string; readonly first: string; readonly member: string; readonly isInside: string | null } {
    const { shader } = routine;
    const rowsPerGroup = routineThreads / team;
    const group = routine.group(Math.ceil(this.#rows / rowsPerGroup) * blocks);
    const member = team === routineThreads ? "i32(thread)" : shader.let("member", `i32(thread) % ${team}`);
    if (blocks > 1) {
      const row = shader.let("row", `${group} / ${blocks}`);
      const first = shader.let("first", `(${group} % ${blocks}) * ${blockLength} + ${member} * ${perThread}`);
      return { row, first, member, isInside: null };
    }
    const row = shader.let("row", `${group} * ${rowsPerGroup} + i32(thread) / ${team}`);
    const first = shader.let("first", `${member} * ${perThread}`);
    return { row, first, member, isInside: this.#rows % rowsPerGroup === 0 ? null : `${row} < ${this.#rows}` };
  }

  /** Loads and scans the thread's own elements: names of the states so far; `total0`, … hold the last. */
  #own(routine: RoutineShader, row: string, first: string, isInside: string | null): readonly ScanState[] {
    const { shader } = routine;
    const { parts } = this.#operation;
    this.#variables(routine, "total");
    return Array.from({ length: perThread }, (_, k) => {
      const names = parts.map((part, which) => {
        const name = shader.name("v");
        shader.line(`var ${name}: ${part}${k === 0 ? "" : ` = total${which}`};`);
        return name;
      });
      shader.block(`if (${this.#isWithin(k, first, isInside)})`, () => {
        const at = shader.let("at", this.#position(row, `${first} + ${k}`));
        const read = this.#operation.read(routine, at, `${first} + ${k} == 0`);
        const state = k === 0 ? read : this.#operation.combine(routine, this.#names("total"), read);
        for (const [which, text] of state.map((part) => shader.let("s", part)).entries())
          shader.line(`${names[which]} = ${text};`);
      });
      this.#assign(routine, "total", names);
      return names;
    });
  }

  /**
   * Scans the totals of the threads of each team: `shared0`, … hold what each thread and those before it found. Threads beyond
   * the end of a row stand behind all others, so whatever they hold reaches nobody.
   */
  #joinTeam(routine: RoutineShader, team: number): void {
    const { shader } = routine;
    const { parts } = this.#operation;
    parts.forEach((part, k) => {
      shader.declare(`var<workgroup> shared${k}: array<${part}, ${routineThreads}>;`);
      shader.line(`shared${k}[thread] = total${k};`);
    });
    shader.line("workgroupBarrier();");
    shader.block(`for (var reach = 1u; reach < ${team}u; reach *= 2u)`, () => {
      shader.block(`if ((thread & ${team - 1}u) >= reach)`, () => {
        const other = parts.map((_, k) => shader.let("o", `shared${k}[thread - reach]`));
        this.#assign(routine, "total", this.#operation.combine(routine, other, this.#names("total")));
      });
      shader.line("workgroupBarrier();");
      parts.forEach((_, k) => {
        shader.line(`shared${k}[thread] = total${k};`);
      });
      shader.line("workgroupBarrier();");
    });
  }

  #isWithin(k: number, first: string, isInside: string | null): string {
    return `${first} + ${k} < ${this.#length}${isInside === null ? "" : ` && ${isInside}`}`;
  }

  /** Where the element stands that comes `place`-th in the order of the scan. */
  #position(row: string, place: string): string {
    return this.#reverse
      ? `${row} * ${this.#length} + ${this.#length - 1} - (${place})`
      : `${row} * ${this.#length} + ${place}`;
  }

  #names(name: string): ScanState {
    return this.#operation.parts.map((_, k) => `${name}${k}`);
  }

  #variables({ shader }: RoutineShader, name: string): void {
    this.#operation.parts.forEach((part, k) => {
      shader.line(`var ${name}${k}: ${part};`);
    });
  }

  /** Sets all parts at once: the texts may read what is set. */
  #assign({ shader }: RoutineShader, name: string, texts: ScanState): void {
    const values = texts.map((text) => shader.let("n", text));
    for (const [k, value] of values.entries()) shader.line(`${name}${k} = ${value};`);
  }
}

function powerAbove(x: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(1, x))));
}
