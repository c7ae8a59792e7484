/** Address arithmetic that the schedules of matrix products share. */

import "./other-opcodes.ts";
import type { FunctionBuilder, FunctionType, ModuleBuilder } from "./assembler.ts";
import { type GemmLibraryName, gemmLibraryTypes } from "./gemm-library.ts";
import { forUpTo } from "./gemm-loops.ts";
import type { ComputedOperand, GemmOperand, GemmOutput, GemmSpec, LocatedOperand } from "./gemm-spec.ts";
import { TAIL_ROWS, TILE_ROWS } from "./gemm-tile.ts";

/** Most lanes and depths of the blocks that computed operands are asked for. */
export const BLOCK = 64;
/** Most lanes, depths and columns of a block: its addresses are a table. */
const TABLE_LENGTH = 1024;
/** Bytes of a table, one for each line. */
export const TABLE_BYTES: number = TABLE_LENGTH * 4;
/** Lanes of such a block when panels are packed from it: whole vectors, and whole panels of the left and right operand. */
const BLOCK_LANES = 48;
/** Most lanes beyond whole panels of the left operand that make two smaller panels with the last of them. */
const EXTRA_LANES = 2 * TAIL_ROWS - TILE_ROWS;
/** Bytes of one such block, with room for a vector that overruns. */
export const BLOCK_BYTES: number = BLOCK * BLOCK * 4 + 64;

const phaseType: FunctionType = { params: ["i32", "i32", "i32", "i32"], results: [] };

/** What writing a phase takes of a product. */
export type PhaseSpec = Pick<GemmSpec, "batchLengths" | "scratchOffset">;

/** Pushes an i32. */
export type Push = () => void;

/** A multiple of `step` that is at least `value`. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** Bytes of memory that packing needs on the side: a table of addresses, a block, or zeros and tables of positions. */
export function packingBytes(operands: readonly GemmOperand[]): number {
  const bytes = operands.map((operand) => {
    if (operand.kind === "located") return TABLE_BYTES * (1 + operand.tableCount);
    return operand.kind === "computed" || (operand.laneStride !== 4 && operand.depthStride !== 4) ? BLOCK_BYTES : 0;
  });
  return TABLE_BYTES + roundUp(Math.max(0, ...bytes), 64);
}

/** What is packed: locals. */
export interface PackRange {
  readonly batch: number;
  readonly lane: number;
  readonly lanes: number;
  readonly k: number;
  readonly depth: number;
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

  /**
   * Packs lanes `lane` … `lane + lanes` and depths `k` … `k + depth` of an operand into panels, `depth` deep. `work` pushes
   * the address of as much memory as {@link packingBytes} says.
   */
  pack(side: "Left" | "Right", operand: GemmOperand, range: PackRange, destination: Push, work: Push): void {
    const { f } = this;
    const { batch, lane, lanes, k, depth } = range;
    if (operand.kind === "located") {
      this.#packRuns(side, operand, range, destination, work);
      return;
    }
    if (operand.kind === "strided") {
      const { laneStride, depthStride } = operand;
      const source = this.sum(
        [this.address(operand), 1],
        [this.batchOffset(batch, operand.batchStrides), 1],
        [this.get(lane), laneStride],
        [this.get(k), depthStride],
      );
      if (laneStride === 4 || depthStride === 4) {
        const all = { lanes: this.get(lanes), depth: this.get(depth), panelDepth: this.get(depth) };
        this.packStrided(side, source, [laneStride, depthStride], all, destination, work);
        return;
      }
    }
    const isAlongLanes = operand.kind === "computed" && operand.contiguous === "lane";
    const block = this.sum([work, 1], TABLE_BYTES);
    const blockLane = this.let(this.constant(0));
    const blockDepth = f.local("i32");
    // One or two lanes more than whole blocks belong to the last block: with its last panel they make two smaller ones.
    const end = this.let(() => {
      f.get(lanes).i32(EXTRA_LANES).op("i32.sub").i32(1);
      f.get(lanes).i32(EXTRA_LANES).op("i32.gt_u").op("select");
    });
    forUpTo(f, blockLane, end, BLOCK_LANES, () => {
      const laneCount = this.let(() => f.get(lanes, blockLane).op("i32.sub"));
      f.get(laneCount).i32(BLOCK_LANES).get(laneCount);
      f.i32(BLOCK_LANES + EXTRA_LANES)
        .op("i32.le_u")
        .op("select")
        .set(laneCount);
      f.i32(0).set(blockDepth);
      forUpTo(f, blockDepth, depth, BLOCK, () => {
        const depthCount = this.let(this.least(this.constant(BLOCK), () => f.get(depth, blockDepth).op("i32.sub")));
        const [laneBegin, depthBegin] = [
          this.sum([this.get(lane), 1], [this.get(blockLane), 1]),
          this.sum([this.get(k), 1], [this.get(blockDepth), 1]),
        ];
        if (operand.kind === "computed") {
          const laneEnd = this.sum([laneBegin, 1], [this.get(laneCount), 1]);
          const depthEnd = this.sum([depthBegin, 1], [this.get(depthCount), 1]);
          this.load(operand, batch, [laneBegin, laneEnd], [depthBegin, depthEnd], block, BLOCK * 4);
        } else {
          const source = this.sum(
            [this.address(operand), 1],
            [this.batchOffset(batch, operand.batchStrides), 1],
            [laneBegin, operand.laneStride],
            [depthBegin, operand.depthStride],
          );
          const strides = [this.constant(operand.laneStride), this.constant(operand.depthStride)];
          const lengths = [this.get(laneCount), this.get(depthCount)];
          this.call("gather", source, ...strides, ...lengths, block, this.constant(BLOCK * 4));
        }
        const part = { lanes: this.get(laneCount), depth: this.get(depthCount), panelDepth: this.get(depth) };
        // Panels before this one hold blockLane lanes of `depth` depths.
        const panel = this.sum([destination, 1], [() => f.get(blockLane, depth).op("i32.mul"), 4]);
        const strides = isAlongLanes ? ([4, BLOCK * 4] as const) : ([BLOCK * 4, 4] as const);
        this.packStrided(side, block, strides, { ...part, firstDepth: this.get(blockDepth) }, panel, work);
        f.release(depthCount);
      });
      f.release(laneCount);
    });
    f.release(blockLane);
    f.release(blockDepth);
  }

  /** Packs what lies at strides, one of which is 4, through a table at `table`. */
  packStrided(
    side: "Left" | "Right",
    source: Push,
    [laneStride, depthStride]: readonly [number, number],
    lengths: { readonly lanes: Push; readonly depth: Push; readonly panelDepth: Push; readonly firstDepth?: Push },
    destination: Push,
    table: Push,
  ): void {
    const { lanes, depth, panelDepth, firstDepth = this.constant(0) } = lengths;
    const isLines = depthStride === 4;
    this.call("ladder", table, isLines ? lanes : depth, source, this.constant(isLines ? laneStride : depthStride));
    this.call(`pack${side}${isLines ? "Lines" : "Copies"}`, table, lanes, depth, destination, panelDepth, firstDepth);
  }

  /** Packs an operand run by run. */
  #packRuns(
    side: "Left" | "Right",
    operand: LocatedOperand,
    { batch, lane, lanes, k, depth }: PackRange,
    destination: Push,
    work: Push,
  ): void {
    const { f } = this;
    const isLines = operand.contiguous === "depth";
    const [point, points, line, lines] = isLines ? [k, depth, lane, lanes] : [lane, lanes, k, depth];
    const zeros = this.sum([work, 1], TABLE_BYTES);
    const tables = this.sum([work, 1], 2 * TABLE_BYTES);
    zeros();
    f.i32(0)
      .i32(Math.min(operand.run, TABLE_LENGTH) * 4)
      .memoryFill();
    f.get(0, batch, line, line, lines).op("i32.add");
    tables();
    f.call(operand.tabulate);
    const at = this.let(this.get(point));
    const end = this.let(this.sum([this.get(point), 1], [this.get(points), 1]));
    f.block(() => {
      f.loop(() => {
        f.get(at, end).op("i32.ge_u").brIf(1);
        const run = this.let(() => f.get(at).i32(operand.run).op("i32.div_u"));
        const first = this.let(() => f.get(at, run).i32(operand.run).op("i32.mul").op("i32.sub"));
        const count = this.let(
          this.least(
            () => f.i32(operand.run).get(first).op("i32.sub"),
            () => f.get(end, at).op("i32.sub"),
          ),
        );
        f.get(0, batch, lines, run, first);
        for (const push of [tables, work, zeros]) push();
        f.call(operand.locate);
        if (isLines) {
          const firstDepth = this.sum([this.get(at), 1], [this.get(point), -1]);
          const lengths = [this.get(lanes), this.get(count), destination, this.get(depth), firstDepth];
          this.call(`pack${side}Lines`, work, ...lengths);
        } else {
          // Panels before this run hold as many lanes of `depth` depths.
          const panel = this.sum([destination, 1], [() => f.get(at, point).op("i32.sub").get(depth).op("i32.mul"), 4]);
          const lengths = [this.get(count), this.get(depth), panel, this.get(depth), this.constant(0)];
          this.call(`pack${side}Copies`, work, ...lengths);
        }
        f.get(at, count).op("i32.add").set(at).br(0);
      });
    });
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
