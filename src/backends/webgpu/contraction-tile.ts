/** Products by tiles: operands pass through workgroup memory, and each thread keeps a block of the sums in registers. */
import type { ContractionKernel } from "../../ir/kernel.ts";
import type { TileSchedule } from "./contraction-schedule.ts";
import { shapeOf } from "./contraction-schedule.ts";
import { emitSliceSums, keepPartialSums, partialSums } from "./contraction-slices.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ProductShader } from "./product-shader.ts";
import type { Depth } from "./staged-operand.ts";
import { StagedOperand } from "./staged-operand.ts";
import type { TilePlace } from "./tile-place.ts";
import { tilePlace } from "./tile-place.ts";

/** Threads of a team that read the same rows: they stand in blocks of 4 × 8, so that what they read is little and wide. */
const blockColumns = 8;
const blockThreads = 32;

/** The code of a product by tiles. */
export function emitTiles(kernel: ContractionKernel, target: GpuTarget, schedule: TileSchedule): GpuKernelCode {
  const { slices } = schedule;
  const first = new TileEmitter(kernel, target, schedule).emit();
  if (slices === 1) return { dispatches: [first], scratchBytes: [] };
  return {
    dispatches: [first, emitSliceSums(kernel, target, slices)],
    scratchBytes: [partialSums(kernel, slices).byteLength],
  };
}

/** Texts that say which block of a tile a thread computes: its place in its team, its team, its first row and column. */
interface Member {
  readonly threads: number;
  readonly own: string;
  readonly team: string;
  readonly y: string;
  readonly x: string;
}

interface Operands {
  readonly left: StagedOperand;
  readonly right: StagedOperand;
}

/** The first product that a thread loads, how many a round takes, and the number of rounds. */
interface Rounds {
  readonly begin: string;
  readonly step: number;
  readonly rounds: number;
}

/** First row and column of a tile. */
interface Origin {
  readonly row: string;
  readonly column: string;
}

class TileEmitter {
  readonly #product: ProductShader;
  readonly #schedule: TileSchedule;

  constructor(kernel: ContractionKernel, target: GpuTarget, schedule: TileSchedule) {
    this.#product = new ProductShader(kernel, target);
    this.#schedule = schedule;
  }

  /** Threads along the rows and columns of a tile. */
  get #across(): { readonly rows: number; readonly columns: number } {
    const { rows, columns, threadRows, threadColumns } = this.#schedule;
    return { rows: rows / threadRows, columns: columns / threadColumns };
  }

  emit(): GpuDispatch {
    const { shader, kernel, target } = this.#product;
    const { rows, columns, depth, teams, stages, slices } = this.#schedule;
    const { batch, k } = shapeOf(kernel);
    const tiles = { rows: Math.ceil(kernel.m.length / rows), columns: Math.ceil(kernel.n.length / columns) };
    const grid = gridOf(shader, target, tiles.rows * tiles.columns * batch * slices);
    const place = tilePlace(shader, grid.place, tiles, batch, slices);
    this.#product.bindBatch(place.batch);
    const row = shader.let("row", `${place.row} * ${rows}`);
    const column = shader.let("column", `${place.column} * ${columns}`);
    const member = this.#member();
    // Each team takes every teams-th tile of its slice; all have the same number, so that barriers fit.
    const step = depth * teams * stages;
    const rounds = Math.ceil(k / (step * slices));
    const ofSlice = slices === 1 ? "" : `${place.slice} * ${rounds * step} + `;
    const begin = shader.let("begin", `${ofSlice}${teams === 1 ? "0" : `${member.team} * ${depth}`}`);
    const staging = {
      depth,
      threads: member.threads,
      thread: member.own,
      teams,
      team: member.team,
      stages,
      mayLeave: k !== rounds * step * slices,
    };
    const { left: leftExpr, right: rightExpr, m, n } = kernel;
    const operands = {
      left: new StagedOperand(this.#product, {
        ...staging,
        name: "left",
        expr: leftExpr,
        line: m,
        lines: rows,
        origin: row,
      }),
      right: new StagedOperand(this.#product, {
        ...staging,
        name: "right",
        expr: rightExpr,
        line: n,
        lines: columns,
        origin: column,
      }),
    };
    this.#sum(operands, member, { begin, step, rounds });
    this.#finish(operands, member, { row, column }, place);
    return this.#product.dispatch(member.threads * teams, grid.workgroups);
  }

  /** Which block of the tile a thread computes. */
  #member(): Member {
    const { shader } = this.#product;
    const { teams } = this.#schedule;
    const { rows, columns } = this.#across;
    const threads = rows * columns;
    const own = shader.let("own", teams === 1 ? "i32(thread)" : `i32(thread) % ${threads}`);
    const team = teams === 1 ? "0" : shader.let("team", `i32(thread) / ${threads}`);
    const blockRows = blockThreads / blockColumns;
    const blocks = columns / blockColumns;
    const block = shader.let("block", `${own} / ${blockThreads}`);
    const inBlock = shader.let("inside", `${own} % ${blockThreads}`);
    return {
      threads,
      own,
      team,
      y: shader.let("y", `((${block} / ${blocks}) * ${blockRows} + ${inBlock} / ${blockColumns}) * 4`),
      x: shader.let("x", `((${block} % ${blocks}) * ${blockColumns} + ${inBlock} % ${blockColumns}) * 4`),
    };
  }

  /** Sums up all tiles of the operands. */
  #sum(operands: Operands, member: Member, { begin, step, rounds }: Rounds): void {
    const { shader, em } = this.#product;
    const { depth, threadRows, threadColumns, stages } = this.#schedule;
    for (let i = 0; i < threadRows; i++) {
      for (let j = 0; j < threadColumns / 4; j++) shader.line(`var sum${i}_${j} = vec4f();`);
    }
    if (rounds === 0) return;
    const both = Object.values(operands);
    const load = (at: string): void => {
      for (const operand of both) operand.load(at);
    };
    const store = (stage: number): void => {
      for (const operand of both) operand.store(stage);
    };
    const barrier = (): void => shader.line("workgroupBarrier();");
    const ifMore = (body: () => void): void => em.block(`if (turn + 1 < ${rounds})`, body);
    load(begin);
    if (stages === 2) {
      store(0);
      barrier();
    }
    em.block(`for (var turn = 0; turn < ${rounds}; turn++)`, () => {
      const at = shader.let("k", `${begin} + turn * ${step}`);
      const loadNext = (): void => load(shader.let("k", `${at} + ${step}`));
      if (stages === 1) {
        store(0);
        barrier();
        ifMore(loadNext);
        this.#multiplyTile(operands, member, 0);
      } else {
        load(shader.let("k", `${at} + ${depth}`));
        this.#multiplyTile(operands, member, 0);
        store(1);
        barrier();
        ifMore(loadNext);
        this.#multiplyTile(operands, member, 1);
        ifMore(() => store(0));
      }
      barrier();
    });
  }

  #multiplyTile(operands: Operands, member: Member, stage: number): void {
    const { depth, unrolled } = this.#schedule;
    const some = (text: string, count: number): void => {
      for (let offset = 0; offset < count; offset++) this.#multiply(operands, member, stage, { text, offset });
    };
    if (unrolled >= depth) some("", depth);
    else {
      this.#product.shader.block(`for (var depth = 0; depth < ${depth}; depth += ${unrolled})`, () =>
        some("depth", unrolled),
      );
    }
  }

  /** The products of one row of the left tile's depth with one of the right's. */
  #multiply({ left, right }: Operands, { y, x }: Member, stage: number, depth: Depth): void {
    const { shader } = this.#product;
    const { threadRows, threadColumns } = this.#schedule;
    shader.block("", () => {
      const ys = Array.from({ length: threadRows / 4 }, (_, i) =>
        shader.let("a", left.read(stage, depth, y, i * this.#across.rows * 4)),
      );
      const xs = Array.from({ length: threadColumns / 4 }, (_, j) =>
        shader.let("b", right.read(stage, depth, x, j * this.#across.columns * 4)),
      );
      for (let i = 0; i < threadRows; i++) {
        const factor = `vec4f(${ys[i >> 2]}.${"xyzw"[i & 3]})`;
        xs.forEach((four, j) => {
          shader.line(`sum${i}_${j} = fma(${factor}, ${four}, sum${i}_${j});`);
        });
      }
    });
  }

  /** Stores the sums of a thread's block. */
  #finish({ right }: Operands, { own, team, threads, y, x }: Member, tile: Origin, place: TilePlace): void {
    const { shader } = this.#product;
    const { threadRows, threadColumns, teams } = this.#schedule;
    const quads = Array.from({ length: threadColumns / 4 }, (_, j) =>
      shader.let("quad", `(${tile.column} + ${x} + ${j * this.#across.columns * 4}) / 4`),
    );
    if (teams > 1) this.#joinTeams(right, own, team, threads);
    // Each team has every teams-th row of a thread's block.
    for (let i = 0; i < threadRows; i += teams) {
      const first = Math.floor(i / 4) * this.#across.rows * 4 + (i % 4);
      const row = shader.let("row", `${tile.row} + ${y} + ${first}${teams === 1 ? "" : ` + ${team}`}`);
      for (const [j, quad] of quads.entries())
        this.#keep(row, quad, `${teams === 1 ? "sum" : "total"}${i}_${j}`, place);
    }
  }

  /** Adds up what the teams found: of every `teams` rows of a thread's block from row i on, each gets one as `total` i. */
  #joinTeams(memory: StagedOperand, own: string, team: string, threads: number): void {
    const { shader } = this.#product;
    const { teams, threadRows, threadColumns, columns, depth } = this.#schedule;
    const all = Array.from({ length: threadRows }, (_, i) =>
      Array.from({ length: threadColumns / 4 }, (_, j) => ({ i, j })),
    ).flat();
    for (const { i, j } of all) if (i % teams === 0) shader.line(`var total${i}_${j} = vec4f();`);
    const written = shader.let("at", `${team} * ${threads} + ${own}`);
    // What the memory holds at a time of each thread.
    const together = Math.floor((columns * depth) / 4 / threads);
    for (let begin = 0; begin < all.length; begin += together) {
      const some = all.slice(begin, begin + together);
      for (const [k, { i, j }] of some.entries())
        memory.writeSums(`(${written} + ${k * teams * threads})`, `sum${i}_${j}`);
      shader.line("workgroupBarrier();");
      for (const [k, { i, j }] of some.entries()) {
        const found = Array.from({ length: teams }, (_, other) =>
          memory.readSums(`(${own} + ${(k * teams + other) * threads})`),
        );
        shader.block(`if (${team} == ${i % teams})`, () =>
          shader.line(`total${i - (i % teams)}_${j} = ${found.join(" + ")};`),
        );
      }
      shader.line("workgroupBarrier();");
    }
  }

  /** Stores four finished sums, or leaves those of a slice for the second dispatch. */
  #keep(row: string, quad: string, sums: string, place: TilePlace): void {
    const { m, n } = this.#product.kernel;
    const { rows, columns, slices } = this.#schedule;
    if (slices > 1) keepPartialSums(this.#product, slices, { ...place, row, quad }, sums);
    else {
      const leaves = { mayLeaveRows: m.length % rows !== 0, mayLeaveColumns: n.length % columns !== 0 };
      this.#product.storeFour({ row, quad, ...leaves }, sums);
    }
  }
}
