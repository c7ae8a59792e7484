/** The pool: every item is computed once, phases keep their order, errors come back, with any number of threads. */
import { afterEach, describe, expect, it } from "vitest";
import { Arena } from "../../src/backends/wasm/arena.ts";
import type { FunctionBuilder } from "../../src/backends/wasm/assembler.ts";
import { engineFeatures } from "../../src/backends/wasm/engine-features.ts";
import { ModuleBuilder } from "../../src/backends/wasm/module-builder.ts";
import type { Crew, CrewHost } from "../../src/backends/wasm/pool.ts";
import { KernelError, type KernelModule, type Phase, WorkerPool } from "../../src/backends/wasm/pool.ts";
import type { OwnBytes } from "../../src/base/elements.ts";
import { MissingPart, Part } from "../../src/base/part.ts";
import "../../src/backends/wasm/other-opcodes.ts";
import "../../src/backends/wasm/pool-crew-part.ts";
import { cpuParts } from "../../src/backends/wasm/wasm-backend.ts";

const parameters = { params: ["i32", "i32", "i32", "i32"], results: [] } as const;

/** Emits `for (; begin < end; begin++) body(address of item begin)`; items are 32-bit words from `argumentsPointer` on. */
function forItems(f: FunctionBuilder, body: (address: number) => void): void {
  const address = f.local("i32");
  f.block(() => {
    f.loop(() => {
      f.get(1, 2).op("i32.ge_u").brIf(1);
      f.get(0, 1).i32(2).op("i32.shl").op("i32.add").set(address);
      body(address);
      f.get(1).i32(1).op("i32.add").set(1).br(0);
    });
  });
}

/** increment: item += 1; double: item *= 2; scaled: item = root(item); trap: traps at item 1000; threads: item = thread. */
function testModule(arena: Arena): OwnBytes {
  const builder = new ModuleBuilder(arena.memoryOptions);
  const add = (name: string, body: (f: FunctionBuilder, address: number) => void): void => {
    builder.addFunction(name, parameters, (f) => forItems(f, (address) => body(f, address)));
  };
  add("increment", (f, at) => f.get(at, at).memory("i32.load").i32(1).op("i32.add").memory("i32.store"));
  add("double", (f, at) => f.get(at, at).memory("i32.load").i32(1).op("i32.shl").memory("i32.store"));
  add("root", (f, at) => {
    f.get(at, at).memory("i32.load").op("f64.convert_i32_s");
    f.callImport("half", { params: ["f64"], results: ["f64"] }).callImport("sqrt", {
      params: ["f64"],
      results: ["f64"],
    });
    f.op("i32.trunc_f64_s").memory("i32.store");
  });
  add("trap", (f) => {
    f.get(1)
      .i32(1000)
      .op("i32.eq")
      .if(() => f.op("unreachable"));
  });
  add("thread", (f, at) => f.get(at, 3).memory("i32.store"));
  return builder.build();
}

const pools: WorkerPool[] = [];

function setUp(threads: number): {
  readonly arena: Arena;
  readonly pool: WorkerPool;
  readonly kernel: KernelModule;
  readonly items: (count: number, offset: number) => Int32Array;
  readonly execute: (phases: readonly Phase[]) => void | Promise<void>;
} {
  const arena = new Arena();
  const pool = new WorkerPool(arena, { threads, imports: { half: (x) => x / 2 } });
  pool.engage(cpuParts.threads);
  pools.push(pool);
  const kernel = pool.register("test kernel", testModule(arena));
  const items = (count: number, offset: number): Int32Array => new Int32Array(arena.bytes().buffer, offset, count);
  const execute = (phases: readonly Phase[]): void | Promise<void> =>
    pool.mayBlock ? pool.run(phases) : pool.submit(phases);
  return { arena, pool, kernel, items, execute };
}

function phase(
  kernel: KernelModule,
  name: string,
  argumentsPointer: number,
  itemCount: number,
  itemsPerChunk: number,
): Phase {
  return { kernel, functionIndex: kernel.functionIndex(name), argumentsPointer, itemCount, itemsPerChunk };
}

/** Lets workers start: until then the calling thread would do all the work. */
async function untilAllThreadsWork({ arena, pool, kernel, items, execute }: ReturnType<typeof setUp>): Promise<number> {
  const count = 4096;
  const offset = arena.allocate(count * 4);
  const seen = new Set<number>();
  const wanted = pool.mayBlock ? pool.threadCount : pool.threadCount - 1;
  for (let attempt = 0; attempt < 5000 && seen.size < wanted; attempt++) {
    await execute([phase(kernel, "thread", offset, count, 4)]);
    for (const thread of items(count, offset)) seen.add(thread);
    if (attempt % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  arena.free(offset);
  return seen.size;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

describe.each([1, 2, 3])("a pool of %i threads", (threads) => {
  it("computes every item exactly once", async () => {
    const { arena, kernel, items, execute } = setUp(threads);
    const count = 10_007;
    const offset = arena.allocate(count * 4);
    items(count, offset).fill(5);
    await execute([phase(kernel, "increment", offset, count, 64)]);
    expect(items(count, offset).every((value) => value === 6)).toBe(true);
  });

  // Where each program is awaited as a message, or more threads spin than there are cores, fewer will do.
  const programs = threads === 1 || (threads === 2 && engineFeatures().mayBlock) ? 10_000 : 1000;

  it(`runs ${programs} programs back to back`, async () => {
    const { arena, kernel, items, execute } = setUp(threads);
    const count = 64;
    const offset = arena.allocate(count * 4);
    items(count, offset).fill(0);
    const program = [phase(kernel, "increment", offset, count, 16)];
    for (let i = 0; i < programs; i++) {
      const done = execute(program);
      if (done !== undefined) await done;
    }
    expect([...new Set(items(count, offset))]).toEqual([programs]);
  });

  it("finishes each phase before the next one begins", async () => {
    const { arena, kernel, items, execute } = setUp(threads);
    const count = 1000;
    const offset = arena.allocate(count * 4);
    // Wide and serial phases take turns with different chunks: x → 2x + 1, ten times, then √(x / 2).
    const program = Array.from({ length: 10 }, (_, step) => [
      phase(kernel, "double", offset, count, 1 + step * 7),
      phase(kernel, "increment", offset, count, step % 2 === 0 ? count : 13),
    ]).flat();
    program.push(phase(kernel, "root", offset, count, 10));
    for (let repeat = 0; repeat < 200; repeat++) {
      items(count, offset).fill(3);
      await execute(program);
      const expected = Math.trunc(Math.sqrt((3 * 1024 + 1023) / 2));
      expect([...new Set(items(count, offset))]).toEqual([expected]);
    }
  });

  it("reports a trap with the kernel's name, and goes on working", async () => {
    const set = setUp(threads);
    const { arena, kernel, items, execute } = set;
    await untilAllThreadsWork(set);
    const count = 5000;
    const offset = arena.allocate(count * 4);
    for (let repeat = 0; repeat < 20; repeat++) {
      const failing = async (): Promise<void> => execute([phase(kernel, "trap", offset, count, 10)]);
      await expect(failing()).rejects.toThrow(KernelError);
      await expect(failing()).rejects.toThrow(/^test kernel: RuntimeError/);
      items(count, offset).fill(0);
      await execute([phase(kernel, "increment", offset, count, 10)]);
      expect(items(count, offset).every((value) => value === 1)).toBe(true);
    }
  });

  it("runs submitted programs in order without blocking", async () => {
    const { arena, pool, kernel, items } = setUp(threads);
    const count = 3000;
    const offset = arena.allocate(count * 4);
    items(count, offset).fill(1);
    const done = ["double", "increment", "double", "double", "increment"].map((name) =>
      pool.submit([phase(kernel, name, offset, count, 50)]),
    );
    await Promise.all(done);
    expect([...new Set(items(count, offset))]).toEqual([13]);
  });

  it("a program without items does nothing", async () => {
    const { kernel, execute, pool } = setUp(threads);
    await execute([]);
    await execute([phase(kernel, "trap", 0, 0, 10)]);
    await pool.submit([phase(kernel, "trap", 0, 0, 10), phase(kernel, "trap", 0, 0, 1)]);
  });

  it("works on memory that grew after the workers started", async () => {
    const set = setUp(threads);
    await untilAllThreadsWork(set);
    const { arena, kernel, items, execute } = set;
    const count = 1000;
    const [first] = [arena.allocate(64 << 20)];
    const offset = arena.allocate(count * 4);
    const late = set.pool.register("late kernel", testModule(arena));
    items(count, offset).fill(20);
    for (const each of [kernel, late]) await execute([phase(each, "increment", offset, count, 1)]);
    expect([...new Set(items(count, offset))]).toEqual([22]);
    arena.free(first);
  });

  it("released kernels give way to new ones", async () => {
    const { arena, pool, items, execute } = setUp(threads);
    const offset = arena.allocate(400);
    const { activeBytes } = arena;
    items(100, offset).fill(0);
    for (let i = 0; i < 30; i++) {
      const kernel = pool.register(`kernel ${i}`, testModule(arena));
      await execute([phase(kernel, "increment", offset, 100, 5)]);
      pool.release(kernel);
      expect(() => pool.release(kernel)).toThrow(/released/);
    }
    expect([...new Set(items(100, offset))]).toEqual([30]);
    expect(arena.activeBytes).toBe(activeBytes);
  });

  it("a kernel calls the exports of its library", async () => {
    const { arena, pool, items, execute } = setUp(threads);
    const builder = new ModuleBuilder(arena.memoryOptions);
    builder.addFunction("addSeven", { params: ["i32"], results: ["i32"] }, (f) => f.get(0).i32(7).op("i32.add"));
    const library = pool.register("library", builder.build());
    const user = new ModuleBuilder(arena.memoryOptions);
    user.addFunction("run", parameters, (f) =>
      forItems(f, (at) => {
        f.get(at, at)
          .memory("i32.load")
          .callImport("addSeven", { params: ["i32"], results: ["i32"] })
          .memory("i32.store");
      }),
    );
    const kernel = pool.register("user", user.build(), { library });
    const offset = arena.allocate(4000);
    items(1000, offset).fill(1);
    await execute([phase(kernel, "run", offset, 1000, 10)]);
    expect([...new Set(items(1000, offset))]).toEqual([8]);
  });

  it("goes on with one thread after it was closed", async () => {
    const { arena, pool, kernel, items, execute } = setUp(threads);
    const offset = arena.allocate(4000);
    items(1000, offset).fill(0);
    await execute([phase(kernel, "increment", offset, 1000, 10)]);
    await pool.close();
    expect(pool.isParallel).toBe(false);
    await pool.submit([phase(kernel, "increment", offset, 1000, 10)]);
    expect([...new Set(items(1000, offset))]).toEqual([2]);
  });
});

describe("a pool", () => {
  it("shares chunks between all of its threads", async () => {
    const set = setUp(3);
    const { pool } = set;
    expect(await untilAllThreadsWork(set)).toBe(pool.mayBlock ? pool.threadCount : pool.threadCount - 1);
  });

  it("asks for workers once programs have run alone that are worth starting them, at once where it may not block", () => {
    const pool = new WorkerPool(new Arena(), { threads: 2 });
    const part = new Part<(host: CrewHost) => Crew>("threads", () => Promise.reject(new Error("never loaded")));
    const isAsked = (work: number): boolean => {
      try {
        pool.engage(part, work);
        return false;
      } catch (error) {
        expect(error).toBeInstanceOf(MissingPart);
        return true;
      }
    };
    expect([1e6, 1e6, 17e6, 1e6].map(isAsked)).toEqual([!pool.mayBlock, !pool.mayBlock, !pool.mayBlock, true]);
  });

  it("refuses a function that the kernel does not export", () => {
    const { kernel } = setUp(1);
    expect(() => kernel.functionIndex("missing")).toThrow(/exports no function missing/);
  });

  it("refuses less than one thread", () => {
    expect(() => new WorkerPool(new Arena(), { threads: 0 })).toThrow(/threads must be/);
  });
});
