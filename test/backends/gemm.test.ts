/** Matrix products: right at every size, stride and kind of operand, and the same bits for any number of threads. */
import { afterEach, describe, expect, it } from "vitest";
import { Arena } from "../../src/backends/wasm/arena.ts";
import type { FunctionBuilder } from "../../src/backends/wasm/assembler.ts";
import { emitGemm } from "../../src/backends/wasm/gemm.ts";
import { forUpTo } from "../../src/backends/wasm/gemm-loops.ts";
import { type GemmOperand, type GemmSpec, loadType, storeType } from "../../src/backends/wasm/gemm-spec.ts";
import { thinView } from "../../src/backends/wasm/gemm-thin.ts";
import type { TileColumns } from "../../src/backends/wasm/gemm-tile.ts";
import type { KernelLibrary } from "../../src/backends/wasm/kernel-code.ts";
import { ModuleBuilder } from "../../src/backends/wasm/module-builder.ts";
import { type KernelModule, WorkerPool } from "../../src/backends/wasm/pool.ts";
import { relaxedSimd } from "../../src/backends/wasm/relaxed-simd.ts";
import "../../src/backends/wasm/pool-crew-part.ts";
import { cpuParts } from "../../src/backends/wasm/wasm-backend.ts";

const open: WorkerPool[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((pool) => pool.close()));
});

interface Bench {
  readonly arena: Arena;
  readonly pool: WorkerPool;
  readonly tileColumns: TileColumns;
  readonly register: (library: KernelLibrary) => KernelModule;
}

function bench(threads: number, tileColumns: TileColumns = 8): Bench {
  const arena = new Arena();
  const pool = new WorkerPool(arena, { threads });
  pool.engage(cpuParts.threads);
  open.push(pool);
  const relaxed = relaxedSimd().isRight;
  const registered = new Map<KernelLibrary, KernelModule>();
  const register = (given: KernelLibrary): KernelModule => {
    const { name, options, emit, library } = given;
    const module =
      registered.get(given) ??
      pool.register(name, emit({ ...arena.memoryOptions, relaxed }), {
        ...options,
        ...(library ? { library: register(library) } : {}),
      });
    registered.set(given, module);
    return module;
  };
  return { arena, pool, tileColumns, register };
}

/** Deterministic values in steps of 1/8 whose products and sums are exact in float32 up to thousands of terms. */
function value(index: number): number {
  return ((Math.imul(index, 2654435761) >>> 24) % 17) / 8 - 1;
}

type Orientation = "rows" | "columns" | "spread";
type Kind = Orientation | "computed lanes" | "computed depths" | "shared";

interface Case {
  readonly batch: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly left: Kind;
  readonly right: Kind;
  readonly output: "strided" | "computed";
}

const POINTERS = { left: 0, right: 4, output: 8, scratch: 12 };

/** Where an operand [batch, lanes, depth] lies in memory: strides in bytes, and its byte length. */
function place(
  kind: Kind,
  batches: number,
  lanes: number,
  depth: number,
): {
  readonly laneStride: number;
  readonly depthStride: number;
  readonly batchStride: number;
  readonly byteLength: number;
} {
  const batchStride = kind === "shared" ? 0 : lanes * depth * (kind === "spread" ? 12 : 4);
  const byteLength = Math.max(batchStride * batches, lanes * depth * 12);
  if (kind === "spread") return { laneStride: 12, depthStride: lanes * 12, batchStride, byteLength };
  if (kind === "columns" || kind === "computed lanes")
    return { laneStride: 4, depthStride: lanes * 4, batchStride, byteLength };
  return { laneStride: depth * 4, depthStride: 4, batchStride, byteLength };
}

/** A `load` that reads the operand from memory and adds 1 to each element. */
function addLoad(
  module: ModuleBuilder,
  name: "left" | "right",
  at: ReturnType<typeof place>,
  alongLanes: boolean,
): number {
  return module.addFunction(`${name}Load`, loadType, (f: FunctionBuilder) => {
    const [lane, k, laneStart, from, to] = [f.local("i32"), f.local("i32"), 2, f.local("i32"), f.local("i32")];
    f.get(laneStart).set(lane);
    forUpTo(f, lane, 3, 1, () => {
      f.get(4).set(k);
      forUpTo(f, k, 5, 1, () => {
        f.get(0).memory("i32.load", POINTERS[name]).get(1).i32(at.batchStride).op("i32.mul").op("i32.add");
        f.get(lane)
          .i32(at.laneStride)
          .op("i32.mul")
          .op("i32.add")
          .get(k)
          .i32(at.depthStride)
          .op("i32.mul")
          .op("i32.add")
          .set(from);
        const [line, element] = alongLanes
          ? [
              [k, 4],
              [lane, 2],
            ]
          : [
              [lane, 2],
              [k, 4],
            ];
        f.get(6)
          .get(...(line ?? []))
          .op("i32.sub")
          .get(7)
          .op("i32.mul")
          .op("i32.add");
        f.get(...(element ?? []))
          .op("i32.sub")
          .i32(4)
          .op("i32.mul")
          .op("i32.add")
          .set(to);
        f.get(to, from).memory("f32.load").f32(1).op("f32.add").memory("f32.store");
      });
    });
  });
}

/** A `store` that writes 2·sum to the output [batch, rows, columns]. */
function addStore(module: ModuleBuilder, rows: number, columns: number): number {
  return module.addFunction("store", storeType, (f) => {
    const [row, column] = [f.local("i32"), f.local("i32")];
    f.get(2).set(row);
    forUpTo(f, row, 3, 1, () => {
      f.get(4).set(column);
      forUpTo(f, column, 5, 1, () => {
        f.get(0)
          .memory("i32.load", POINTERS.output)
          .get(1)
          .i32(rows)
          .op("i32.mul")
          .get(row)
          .op("i32.add")
          .i32(columns)
          .op("i32.mul");
        f.get(column).op("i32.add").i32(4).op("i32.mul").op("i32.add");
        f.get(6)
          .get(row, 2)
          .op("i32.sub")
          .get(7)
          .op("i32.mul")
          .op("i32.add")
          .get(column, 4)
          .op("i32.sub")
          .i32(4)
          .op("i32.mul");
        f.op("i32.add").memory("f32.load").f32(2).op("f32.mul").memory("f32.store");
      });
    });
  });
}

/** Values whose sums round, so that any change of order changes bits. */
function roundingValue(index: number): number {
  return Math.fround(Math.sin(index * 12.9898) * 3.7);
}

async function product(
  { arena, pool, tileColumns, register }: Bench,
  test: Case,
  valueAt: (index: number) => number = value,
): Promise<{ readonly got: Float32Array; readonly wanted: Float32Array }> {
  const { rows, columns, depth } = test;
  const batches = test.batch.reduce((a, b) => a * b, 1);
  const module = new ModuleBuilder(arena.memoryOptions);
  const places = { left: place(test.left, batches, rows, depth), right: place(test.right, batches, columns, depth) };
  const operand = (side: "left" | "right"): GemmOperand => {
    const at = places[side];
    const kind = test[side];
    if (kind === "computed lanes" || kind === "computed depths") {
      const contiguous = kind === "computed lanes" ? "lane" : "depth";
      return {
        kind: "computed",
        load: addLoad(module, side, at, contiguous === "lane"),
        contiguous,
        isShared: false,
        isInRuns: false,
      };
    }
    let stride = at.batchStride * batches;
    const batchStrides = test.batch.map((length) => {
      stride /= length;
      return stride;
    });
    return {
      kind: "strided",
      pointerOffset: POINTERS[side],
      offset: 0,
      batchStrides,
      laneStride: at.laneStride,
      depthStride: at.depthStride,
    };
  };
  let stride = batches * rows * columns * 4;
  const batchStrides = test.batch.map((length) => {
    stride /= length;
    return stride;
  });
  const spec: GemmSpec = {
    batchLengths: test.batch,
    rows,
    columns,
    depth,
    left: operand("left"),
    right: operand("right"),
    output:
      test.output === "strided"
        ? { kind: "strided", pointerOffset: POINTERS.output, offset: 0, batchStrides, rowStride: columns * 4 }
        : { kind: "computed", store: addStore(module, rows, columns) },
    scratchOffset: POINTERS.scratch,
    threadCount: pool.threadCount,
    tileColumns,
  };
  const { phases, scratchBytes, library } = emitGemm(module, spec);
  const kernel = pool.register("gemm", module.build(), { library: register(library) });
  const outputCount = batches * rows * columns;
  const blocks = [places.left.byteLength, places.right.byteLength, outputCount * 4, scratchBytes, 16].map((bytes) =>
    arena.allocate(bytes),
  );
  const [left = 0, right = 0, output = 0, scratch = 0, args = 0] = blocks;
  const { buffer } = arena.bytes();
  new Uint32Array(buffer, args, 4).set([left, right, output, scratch]);
  // Whatever is not an element is NaN, so that reading too far shows.
  new Float32Array(buffer, scratch, scratchBytes >> 2).fill(Number.NaN);
  new Float32Array(buffer, output, outputCount).fill(Number.NaN);
  const elements = (side: "left" | "right", offset: number, lanes: number): Float32Array => {
    const at = places[side];
    const floats = new Float32Array(buffer, offset, at.byteLength >> 2).fill(Number.NaN);
    const dense = new Float32Array(batches * lanes * depth);
    for (let b = 0; b < batches; b++) {
      for (let lane = 0; lane < lanes; lane++) {
        for (let k = 0; k < depth; k++) {
          const word = (b * at.batchStride + lane * at.laneStride + k * at.depthStride) >> 2;
          const element = valueAt(word + (side === "left" ? 1 : 7919));
          floats[word] = element;
          dense[(b * lanes + lane) * depth + k] = test[side].startsWith("computed") ? element + 1 : element;
        }
      }
    }
    return dense;
  };
  const l = elements("left", left, rows);
  const r = elements("right", right, columns);
  const wanted = new Float32Array(outputCount);
  for (let b = 0; b < batches; b++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < depth; k++)
          sum += (l[(b * rows + i) * depth + k] ?? 0) * (r[(b * columns + j) * depth + k] ?? 0);
        wanted[(b * rows + i) * columns + j] = test.output === "computed" ? 2 * sum : sum;
      }
    }
  }
  const program = phases.map(({ name, itemCount, itemsPerChunk }) => {
    return { kernel, functionIndex: kernel.functionIndex(name), argumentsPointer: args, itemCount, itemsPerChunk };
  });
  if (pool.mayBlock) pool.run(program);
  else await pool.submit(program);
  const got = new Float32Array(buffer, output, outputCount).slice();
  for (const block of blocks) arena.free(block);
  pool.release(kernel);
  return { got, wanted };
}

function describeCase({ batch, rows, columns, depth, left, right, output }: Case): string {
  return `[${[...batch, rows, depth]}] (${left}) by [${[...batch, depth, columns]}] (${right}), ${output} output`;
}

const plain: Case = { batch: [], rows: 1, columns: 1, depth: 1, left: "rows", right: "columns", output: "strided" };

function sizes(rows: number, columns: number, depth: number, more: Partial<Case> = {}): Case {
  return { ...plain, rows, columns, depth, ...more };
}

const kinds: readonly Kind[] = ["rows", "columns", "spread", "computed lanes", "computed depths", "shared"];

const cases: readonly Case[] = [
  ...[1, 2, 3, 5, 17, 33].flatMap((rows) =>
    [1, 3, 4, 18, 65].flatMap((columns) => [1, 7, 130].map((depth) => sizes(rows, columns, depth))),
  ),
  ...kinds.flatMap((left) => kinds.map((right) => sizes(37, 83, 71, { left, right }))),
  ...kinds.flatMap((left) => kinds.map((right) => sizes(3, 83, 71, { left, right, output: "computed" }))),
  ...kinds.flatMap((left) => kinds.map((right) => sizes(83, 3, 71, { left, right, output: "computed" }))),
  ...kinds.flatMap((left) =>
    kinds.map((right) => sizes(21, 19, 34, { left, right, batch: [3, 2], output: "computed" })),
  ),
  ...kinds.flatMap((left) => kinds.map((right) => sizes(1, 30, 9, { left, right, batch: [2, 3] }))),
  ...kinds.flatMap((left) => [7, 8, 14, 49, 50, 51, 98].map((rows) => sizes(rows, 50, 71, { left }))),
  ...kinds.map((right) => sizes(50, 50, 71, { right })),
  sizes(20, 1100, 1000),
  sizes(200, 300, 600),
  sizes(17, 1100, 530),
  sizes(400, 20, 1030, { output: "computed" }),
  sizes(1, 1000, 2050),
  sizes(1, 1000, 2050, { right: "rows" }),
  sizes(1000, 1, 2051),
  sizes(1000, 1, 2051, { left: "columns" }),
  sizes(16, 700, 129, { right: "rows" }),
  sizes(700, 13, 129, { left: "columns" }),
];

describe("a matrix product", () => {
  it.each([
    [1, 8],
    [2, 8],
    [2, 16],
  ] as const)("is right with %i threads and tiles of %i columns", async (threads, columns) => {
    const set = bench(threads, columns);
    for (const test of cases) {
      const { got, wanted } = await product(set, test);
      const index = got.findIndex((element, i) => element !== wanted[i]);
      if (index >= 0) expect.fail(`${describeCase(test)}: element ${index} is ${got[index]}, not ${wanted[index]}`);
    }
    expect(set.arena.activeBytes).toBe(0);
  });

  it("has the same bits with 1, 2 and 3 threads, and with tiles of either width", async () => {
    const sets = [bench(1), bench(2), bench(3), bench(1, 16)];
    const shapes = [
      sizes(333, 290, 700),
      sizes(130, 1100, 600, { output: "computed" }),
      sizes(70, 66, 65, { batch: [3, 2], left: "computed depths", right: "computed lanes" }),
      sizes(3, 900, 1500),
      sizes(3, 900, 1500, { right: "rows" }),
      sizes(900, 2, 700, { left: "columns" }),
      sizes(20, 1100, 1000),
      ...[4, 6, 7, 8].flatMap((rows) => [sizes(rows, 300, 400), sizes(rows, 1100, 1000)]),
    ];
    for (const test of shapes) {
      const runs: Float32Array[] = [];
      for (const set of sets) runs.push((await product(set, test, roundingValue)).got);
      const [alone, ...others] = runs;
      for (const run of others)
        expect(
          run.every((element, i) => Object.is(element, alone?.[i])),
          describeCase(test),
        ).toBe(true);
    }
  });

  it("is as accurate as sums in blocks: within 1e-6 of the terms' magnitude at depth 20,000", async () => {
    const set = bench(1);
    for (const test of [sizes(20, 24, 20_000), sizes(2, 40, 20_000), sizes(2, 40, 20_000, { right: "rows" })]) {
      const { got, wanted } = await product(set, test, (index) => 1 + Math.abs(roundingValue(index)));
      got.forEach((element, i) => {
        const exact = wanted[i] ?? 0;
        if (!(Math.abs(element - exact) <= 1e-6 * exact)) expect.fail(`${describeCase(test)}: ${element} for ${exact}`);
      });
    }
  });

  it("refuses an empty product", () => {
    const module = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
    const strided = {
      kind: "strided",
      pointerOffset: 0,
      offset: 0,
      batchStrides: [],
      laneStride: 4,
      depthStride: 4,
    } as const;
    const output = { kind: "strided", pointerOffset: 8, offset: 0, batchStrides: [], rowStride: 4 } as const;
    const lengths = { batchLengths: [], rows: 3, columns: 0, depth: 5, scratchOffset: 12 };
    const how = { threadCount: 1, tileColumns: 8 } as const;
    expect(() => emitGemm(module, { ...lengths, ...how, left: strided, right: strided, output })).toThrow(
      /empty product/,
    );
  });
});

it("packs an operand that narrower tiles would pack from its runs, however few lanes it has: bits do not depend on tiles", () => {
  const viewOf = (isInRuns: boolean): unknown =>
    thinView({
      batchLengths: [],
      rows: 1,
      columns: 16,
      depth: 289,
      left: { kind: "strided", pointerOffset: 0, offset: 0, batchStrides: [], laneStride: 0, depthStride: 4 },
      right: { kind: "computed", load: 0, contiguous: "lane", isShared: true, isInRuns },
      output: { kind: "strided", pointerOffset: 4, offset: 0, batchStrides: [], rowStride: 64 },
      scratchOffset: 8,
      threadCount: 1,
      tileColumns: 16,
    });
  expect(viewOf(false)).toBeDefined();
  expect(viewOf(true)).toBeUndefined();
});
