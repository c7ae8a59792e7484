/** Address arithmetic that the schedules of matrix products share, and calls of the functions that they are made with. */

import "./other-opcodes.ts";
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { type GemmLibraryName, gemmLibraryTypes } from "./gemm-library.ts";
import { forUpTo } from "./gemm-loops.ts";
import type { ComputedOperand, GemmOperand, GemmOutput, GemmSpec } from "./gemm-spec.ts";
import type { ModuleBuilder } from "./module-builder.ts";

const phaseType: FunctionType = { params: ["i32", "i32", "i32", "i32"], results: [] };

/** What writing a phase takes of a product. */
export type PhaseSpec = Pick<GemmSpec, "batchLengths" | "scratchOffset">;

/** Pushes an i32. */
export type Push = () => void;

/** A multiple of `step` that is at least `value`. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** Whether every batch reads the same operand. */
export function isShared(operand: GemmOperand): boolean {
  return operand.kind !== "strided" ? operand.isShared : operand.batchStrides.every((stride) => stride === 0);
}

/** The number of batches. */
export function batchCount({ batchLengths }: GemmSpec): number {
  return batchLengths.reduce((product, length) => product * length, 1);
}

/** Writes one phase function of a product; its locals 0 to 3 are argumentsPointer, begin, end and thread. */
export class GemmEmitter {
  readonly f: FunctionBuilder;
  readonly #module: ModuleBuilder;
  readonly #spec: PhaseSpec;

  constructor(f: FunctionBuilder, module: ModuleBuilder, spec: PhaseSpec) {
    this.f = f;
    this.#module = module;
    this.#spec = spec;
  }

  /** Adds an exported phase function that runs `body` for each item, given as a local. */
  static addPhase(
    module: ModuleBuilder,
    spec: PhaseSpec,
    name: string,
    body: (emitter: GemmEmitter, item: number) => void,
  ): void {
    module.addFunction(name, phaseType, (f) => {
      forUpTo(f, 1, 2, 1, () => body(new GemmEmitter(f, module, spec), 1));
    });
  }

  /** Pushes a local. */
  get(local: number): Push {
    return () => this.f.get(local);
  }

  /** Pushes the address of a buffer of the kernel. */
  slot(index: number): Push {
    return this.address({ pointerOffset: index * 4, offset: 0 });
  }

  /** Pushes a constant. */
  constant(value: number): Push {
    return () => this.f.i32(value);
  }

  /** Pushes the sum of terms, each a constant or a push times a constant. */
  sum(...terms: readonly (number | readonly [Push, number])[]): Push {
    return () => {
      let isFirst = true;
      let fixed = 0;
      for (const term of terms) {
        if (typeof term === "number") {
          fixed += term;
          continue;
        }
        const [push, factor] = term;
        if (factor === 0) continue;
        push();
        if (factor !== 1) this.f.i32(factor).op("i32.mul");
        if (!isFirst) this.f.op("i32.add");
        isFirst = false;
      }
      if (isFirst) this.f.i32(fixed);
      else if (fixed !== 0) this.f.i32(fixed).op("i32.add");
    };
  }

  /** Pushes the lesser of two unsigned values. */
  least(a: Push, b: Push): Push {
    return () => {
      a();
      b();
      a();
      b();
      this.f.op("i32.lt_u").op("select");
    };
  }

  /** Pushes how many panels of `width` lanes, a power of two, hold so many lanes. */
  panels(lanes: Push, width: number): Push {
    return () => {
      lanes();
      this.f
        .i32(width - 1)
        .op("i32.add")
        .i32(Math.log2(width))
        .op("i32.shr_u");
    };
  }

  /** Sets a new local. */
  let(push: Push): number {
    const local = this.f.local("i32");
    push();
    this.f.set(local);
    return local;
  }

  /** Pushes the address of the scratch memory plus `offset`. */
  scratch(offset: number): Push {
    return () => {
      this.f.get(0).memory("i32.load", this.#spec.scratchOffset);
      if (offset !== 0) this.f.i32(offset).op("i32.add");
    };
  }

  /** Pushes the address of this thread's part of the scratch memory. */
  threadScratch(sharedBytes: number, bytesPerThread: number): Push {
    return this.sum([this.scratch(sharedBytes), 1], [this.get(3), bytesPerThread]);
  }

  /** Takes an index of row-major `lengths` apart, into one new local for each but those of length 1, which are 0. */
  split(index: number, lengths: readonly number[]): number[] {
    const rest = this.let(this.get(index));
    const parts: number[] = [];
    for (const [axis, length] of [...lengths.entries()].reverse()) {
      const part = this.f.local("i32");
      if (length === 1) this.f.i32(0).set(part);
      else if (axis === 0) this.f.get(rest).set(part);
      else {
        this.f.get(rest).i32(length).op("i32.rem_u").set(part);
        this.f.get(rest).i32(length).op("i32.div_u").set(rest);
      }
      parts.unshift(part);
    }
    this.f.release(rest);
    return parts;
  }

  /** Pushes what a flat batch index (a local) adds to an address. */
  batchOffset(batch: number, strides: readonly number[]): Push {
    if (strides.every((stride) => stride === 0)) return this.constant(0);
    const parts = this.split(batch, this.#spec.batchLengths);
    return this.sum(...parts.map((part, axis): [Push, number] => [this.get(part), strides[axis] ?? 0]));
  }

  /** Calls a function of the library. */
  call(name: GemmLibraryName, ...values: readonly Push[]): void {
    for (const push of values) push();
    this.f.call(this.#module.importFunction(name, gemmLibraryTypes[name]));
  }

  /** Calls a computed operand's `load`. */
  load(
    operand: ComputedOperand,
    batch: number,
    lanes: readonly [Push, Push],
    depths: readonly [Push, Push],
    to: Push,
    stride: number,
  ): void {
    this.f.get(0, batch);
    for (const push of [...lanes, ...depths, to]) push();
    this.f.i32(stride).call(operand.load);
  }

  /** Loops a new local from 0 up to a constant. */
  loop(length: number, step: number, body: (local: number) => void): void {
    const local = this.let(this.constant(0));
    if (length <= step) body(local);
    else {
      const end = this.let(this.constant(length));
      forUpTo(this.f, local, end, step, () => body(local));
    }
  }

  /** Pushes the address of element (0, 0, 0) of an operand or output in memory. */
  address({ pointerOffset, offset }: { readonly pointerOffset: number; readonly offset: number }): Push {
    return () => {
      this.f.get(0).memory("i32.load", pointerOffset);
      if (offset !== 0) this.f.i32(offset).op("i32.add");
    };
  }

  /** Hands a block of finished sums on to the output. */
  finish(
    output: GemmOutput,
    range: {
      readonly batch: number;
      readonly row: Push;
      readonly rows: Push;
      readonly column: Push;
      readonly columns: Push;
    },
    sums: Push,
    sumsStride: number,
  ): void {
    const { batch, row, rows, column, columns } = range;
    if (output.kind === "strided") {
      const target = this.sum(
        [this.address(output), 1],
        [this.batchOffset(batch, output.batchStrides), 1],
        [row, output.rowStride],
        [column, 4],
      );
      this.call("copyRows", sums, this.constant(sumsStride), target, this.constant(output.rowStride), rows, columns);
      return;
    }
    this.f.get(0, batch);
    for (const push of [row, this.sum([row, 1], [rows, 1]), column, this.sum([column, 1], [columns, 1]), sums]) push();
    this.f.i32(sumsStride).call(output.store);
  }
}
