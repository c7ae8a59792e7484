/** The pool in a process of its own: bundled and minified, ending by itself; and workers that die. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { describe, expect, it, vi } from "vitest";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { ModuleBuilder } from "../../src/backends/wasm/module-builder.ts";
import { KernelError, WorkerPool } from "../../src/backends/wasm/pool.ts";
import "../../src/backends/wasm/other-opcodes.ts";
import "../../src/backends/wasm/pool-crew-part.ts";
import { cpuParts } from "../../src/backends/wasm/wasm-backend.ts";

const source = fileURLToPath(new URL("../../src/backends/wasm", import.meta.url));

/** Runs until a worker has marked an item with its number, halved by an imported function and doubled again. */
const program = `
import { Arena } from "${source}/arena.ts";
import { WorkerPool } from "${source}/pool.ts";
import { cpuParts } from "${source}/wasm-backend.ts";
import "${source}/other-opcodes.ts";
import "${source}/pool-crew-part.ts";
import { ModuleBuilder } from "${source}/module-builder.ts";
const arena = new Arena();
const pool = new WorkerPool(arena, { threads: 2, imports: { half: (x) => x / 2 } });
pool.engage(cpuParts.threads);
const builder = new ModuleBuilder(arena.memoryOptions);
builder.addFunction("mark", { params: ["i32", "i32", "i32", "i32"], results: [] }, (f) => {
  f.get(0, 1).i32(4).op("i32.mul").op("i32.add").get(3).i32(1).op("i32.shl").op("f64.convert_i32_s");
  f.callImport("half", { params: ["f64"], results: ["f64"] }).op("i32.trunc_f64_s").memory("i32.store");
});
const kernel = pool.register("mark", builder.build());
const offset = arena.allocate(4000);
const items = new Int32Array(arena.bytes().buffer, offset, 1000);
const seen = new Set();
for (let run = 0; run < 2000 && seen.size < 2; run++) {
  pool.run([{ kernel, functionIndex: 0, argumentsPointer: offset, itemCount: 1000, itemsPerChunk: 1 }]);
  for (const item of items) seen.add(item);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log([...seen].sort().join());
if (process.argv.includes("close")) await pool.close();
console.log("end");
`;

describe("a pool in a bundle", () => {
  it.each([
    { minify: false, keepNames: false },
    { minify: true, keepNames: false },
    { minify: false, keepNames: true },
    { minify: true, keepNames: true },
  ])("has working workers, and lets the process end: %j", async (options) => {
    const folder = await mkdtemp(join(tmpdir(), "mlx-ts-pool-"));
    try {
      const outfile = join(folder, "bundle.mjs");
      const stdin = { contents: program, resolveDir: source, loader: "ts" } as const;
      await build({ ...options, stdin, outfile, bundle: true, format: "esm", logLevel: "silent" });
      for (const ending of ["close", "leave"]) {
        const { stdout, stderr } = await promisify(execFile)(process.execPath, [outfile, ending], { timeout: 20_000 });
        expect({ stdout, stderr }).toEqual({ stdout: "0,1\nend\n", stderr: "" });
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** Runs programs, blocking, until the worker joins one and dies in it; prints the error, and what a run after it computes. */
const deadly = `
import { Arena } from "${source}/arena.ts";
import { KernelError, WorkerPool } from "${source}/pool.ts";
import { cpuParts } from "${source}/wasm-backend.ts";
import "${source}/other-opcodes.ts";
import "${source}/pool-crew-part.ts";
import { ModuleBuilder } from "${source}/module-builder.ts";
const arena = new Arena();
const pool = new WorkerPool(arena, {
  threads: 2,
  imports: {
    // In the worker only, and not before its owner knows that it has started.
    die: () => (process.getBuiltinModule("node:worker_threads").isMainThread || performance.now() < 300 ? 0 : process.exit(3)),
  },
});
pool.engage(cpuParts.threads);
const builder = new ModuleBuilder(arena.memoryOptions);
builder.addFunction("die", { params: ["i32", "i32", "i32", "i32"], results: [] }, (f) => {
  f.get(3).if(() => f.callImport("die", { params: [], results: [] }));
  f.get(0, 1).i32(4).op("i32.mul").op("i32.add").i32(7).memory("i32.store");
});
const kernel = pool.register("deadly kernel", builder.build());
const offset = arena.allocate(4000);
const phase = { kernel, functionIndex: 0, argumentsPointer: offset, itemCount: 1000, itemsPerChunk: 1 };
console.warn = (text) => console.log(text.slice(0, 21));
try {
  for (;;) {
    pool.run([phase]);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
} catch (error) {
  console.log(error instanceof KernelError, error.message);
}
pool.run([phase]);
console.log(pool.isParallel, new Int32Array(arena.bytes().buffer, offset, 1000).every((item) => item === 7));
await pool.close();
`;

describe("a worker that dies", () => {
  it("makes a run that waits for it throw, whose caller could otherwise not be told", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mlx-ts-pool-"));
    try {
      const outfile = join(folder, "bundle.mjs");
      const stdin = { contents: deadly, resolveDir: source, loader: "ts" } as const;
      await build({ stdin, outfile, bundle: true, format: "esm", logLevel: "silent" });
      const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 20_000 });
      expect(stdout.split("\n")).toEqual([
        "mlx-ts lost worker 1 ",
        "true deadly kernel: Error: a worker died while it computed",
        "false true",
        "",
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("rejects the program it was in, says so, and leaves a pool that works", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const arena = new Arena();
    const pool = new WorkerPool(arena, {
      threads: 2,
      // In the worker only: there this ends the thread, here it would end the tests.
      imports: { die: () => (process.getBuiltinModule("node:worker_threads").isMainThread ? 0 : process.exit(3)) },
    });
    pool.engage(cpuParts.threads);
    const builder = new ModuleBuilder(arena.memoryOptions);
    const type = { params: ["i32", "i32", "i32", "i32"], results: [] } as const;
    builder.addFunction("die", type, (f) => f.get(3).if(() => f.callImport("die", { params: [], results: [] })));
    const kernel = pool.register("deadly kernel", builder.build());
    const phase = { kernel, functionIndex: 0, argumentsPointer: 0, itemCount: 100, itemsPerChunk: 1 };
    await expect(pool.submit([phase])).rejects.toThrow(KernelError);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining("lost worker 1"));
    expect(pool.isParallel).toBe(false);
    pool.run([phase]);
    await pool.submit([phase]);
    await pool.close();
    warn.mockRestore();
  });
});
