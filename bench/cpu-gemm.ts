/**
 * Measures the CPU backend's matrix products below the array layer, in GFLOP/s: best and median of repeated runs.
 *
 *     npx tsx bench/cpu-gemm.ts [threads=1,2] [sizes=512,1024x1x4096,…] [ms=1000]
 */
import { Arena } from "../src/backends/wasm/arena.ts";
import { emitGemm } from "../src/backends/wasm/gemm.ts";
import { gemmLibrary } from "../src/backends/wasm/gemm-library.ts";
import type { GemmSpec } from "../src/backends/wasm/gemm-spec.ts";
import { tileColumns } from "../src/backends/wasm/gemm-width.ts";
import type { KernelLibrary } from "../src/backends/wasm/kernel-code.ts";
import { ModuleBuilder } from "../src/backends/wasm/module-builder.ts";
import { type KernelModule, WorkerPool } from "../src/backends/wasm/pool.ts";
import "../src/backends/wasm/pool-crew-part.ts";
import { relaxedSimd } from "../src/backends/wasm/relaxed-simd.ts";
import { cpuParts } from "../src/backends/wasm/wasm-backend.ts";

const given = new Map(
  process.argv.slice(2).map((text): [string, string] => {
    const [name = "", values = ""] = text.split("=");
    return [name, values];
  }),
);
const list = (name: string, fallback: string): readonly string[] => (given.get(name) ?? fallback).split(",");
const milliseconds = Number(given.get("ms") ?? 1000);

/** Shapes: one number n for n × n × n, or rows × columns × depth, and a trailing "t" for a transposed right operand. */
const sizes = list(
  "sizes",
  "512,1024,1001,2048,64,128,256,1x4096x4096,1x4096x4096t,4096x1x4096,4x1024x1024,16x1024x1024,32x1024x1024t,1024x1024x16",
);

const { isRight, flags } = relaxedSimd();
console.log(`Node ${process.version}, relaxed SIMD ${isRight ? `on ${flags.join(" ")}` : "off"}`);

for (const threads of list("threads", "1,2").map(Number)) {
  const arena = new Arena();
  const pool = new WorkerPool(arena, { threads });
  pool.engage(cpuParts.threads);
  const began = performance.now();
  const tile = tileColumns({ ...arena.memoryOptions, relaxed: isRight });
  const tried = performance.now() - began;
  const registered = new Map<KernelLibrary, KernelModule>();
  const register = (given: KernelLibrary): KernelModule => {
    const { name, options, emit, library } = given;
    const module =
      registered.get(given) ??
      pool.register(name, emit({ ...arena.memoryOptions, relaxed: isRight }), {
        ...options,
        ...(library ? { library: register(library) } : {}),
      });
    registered.set(given, module);
    return module;
  };
  register(gemmLibrary(tile));
  console.log(
    `tiles of ${tile} columns, found in ${tried.toFixed(1)} ms, compiled in ${(performance.now() - began - tried).toFixed(1)} ms`,
  );
  for (const size of sizes) {
    const isTransposed = size.endsWith("t");
    const [rows = 1, columns = rows, depth = rows] = size.replace("t", "").split("x").map(Number);
    const spec: GemmSpec = {
      batchLengths: [],
      rows,
      columns,
      depth,
      left: { kind: "strided", pointerOffset: 0, offset: 0, batchStrides: [], laneStride: depth * 4, depthStride: 4 },
      right: {
        kind: "strided",
        pointerOffset: 4,
        offset: 0,
        batchStrides: [],
        laneStride: isTransposed ? depth * 4 : 4,
        depthStride: isTransposed ? 4 : columns * 4,
      },
      output: { kind: "strided", pointerOffset: 8, offset: 0, batchStrides: [], rowStride: columns * 4 },
      scratchOffset: 12,
      threadCount: pool.threadCount,
      tileColumns: tile,
    };
    const emitted = performance.now();
    const module = new ModuleBuilder(arena.memoryOptions);
    const { phases, scratchBytes, library } = emitGemm(module, spec);
    const kernel = pool.register("gemm", module.build(), { library: register(library) });
    const compileMilliseconds = performance.now() - emitted;
    const blocks = [rows * depth * 4, depth * columns * 4, rows * columns * 4, scratchBytes, 16].map((count) =>
      arena.allocate(count),
    );
    const args = blocks.at(-1) ?? 0;
    new Uint32Array(arena.bytes().buffer, args, 4).set(blocks.slice(0, 4));
    for (const [index, count] of [rows * depth, depth * columns].entries()) {
      const floats = new Float32Array(arena.bytes().buffer, blocks[index] ?? 0, count);
      for (let i = 0; i < count; i++) floats[i] = ((i * 7) % 13) / 8 - 0.75;
    }
    const program = phases.map(({ name, itemCount, itemsPerChunk }) => {
      return { kernel, functionIndex: kernel.functionIndex(name), argumentsPointer: args, itemCount, itemsPerChunk };
    });
    const times: number[] = [];
    const first = performance.now();
    pool.run(program);
    const firstMilliseconds = performance.now() - first;
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const end = performance.now() + milliseconds; performance.now() < end || times.length < 5; ) {
      const start = performance.now();
      pool.run(program);
      times.push(performance.now() - start);
    }
    checkSamples(arena, blocks, { rows, columns, depth, isTransposed });
    times.sort((a, b) => a - b);
    const speed = (time = Number.NaN): string => ((2 * rows * columns * depth) / time / 1e6).toFixed(1).padStart(6);
    const more = `compile ${compileMilliseconds.toFixed(2)} ms, first ${firstMilliseconds.toFixed(2)} ms, ${(scratchBytes / 2 ** 20).toFixed(1)} MiB scratch`;
    console.log(
      `threads ${threads}  ${size.padEnd(14)} best ${speed(times[0])}  median ${speed(times[times.length >> 1])}  (${more})`,
    );
    for (const block of blocks) arena.free(block);
    pool.release(kernel);
  }
  await pool.close();
}

/** Compares 200 elements of the result with sums in float64: a fast wrong answer must not be reported. */
function checkSamples(
  arena: Arena,
  [left = 0, right = 0, output = 0]: readonly number[],
  size: { readonly rows: number; readonly columns: number; readonly depth: number; readonly isTransposed: boolean },
): void {
  const { rows, columns, depth, isTransposed } = size;
  const floats = new Float32Array(arena.bytes().buffer);
  for (let sample = 0; sample < 200; sample++) {
    const [i, j] = [(sample * 37) % rows, (columns - 1 + sample * 101) % columns];
    let sum = 0;
    for (let k = 0; k < depth; k++) {
      const b = isTransposed ? j * depth + k : k * columns + j;
      sum += (floats[left / 4 + i * depth + k] ?? 0) * (floats[right / 4 + b] ?? 0);
    }
    const got = floats[output / 4 + i * columns + j] ?? Number.NaN;
    if (!(Math.abs(got - sum) <= 1e-5 * depth)) throw new Error(`wrong result at [${i}, ${j}]: ${got} for ${sum}`);
  }
}
