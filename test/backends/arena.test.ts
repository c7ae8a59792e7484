/** The arena: blocks never overlap, merge again, and are counted exactly. */
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { OutOfMemoryError } from "../../src/base/errors.ts";

const MiB = 1024 * 1024;

function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Sizes from bytes to megabytes, all magnitudes equally often. */
const anySize = (random: () => number): number => Math.floor(2 ** (random() * 21));

describe("Arena", () => {
  it("hands out blocks that start at multiples of 64, end within the memory and never overlap", () => {
    const seed = 20261123;
    const random = randomNumbers(seed);
    const arena = new Arena();
    arena.cacheLimit = 8 * MiB;
    const live: { offset: number; byteLength: number; mark: number }[] = [];
    for (let step = 0; step < 100_000; step++) {
      if (live.length > 0 && (random() < 0.5 || live.length > 200)) {
        const index = Math.floor(random() * live.length);
        const [block] = live.splice(index, 1);
        if (block === undefined) continue;
        // Each block holds its mark at both ends: another block over it would have overwritten one.
        const bytes = arena.bytes();
        expect([bytes[block.offset], bytes[block.offset + block.byteLength - 1]]).toEqual([block.mark, block.mark]);
        arena.free(block.offset);
      } else {
        const byteLength = anySize(random);
        const offset = arena.allocate(byteLength);
        const mark = step & 255;
        const bytes = arena.bytes();
        if (offset % 64 !== 0 || offset + byteLength + 64 > bytes.length) expect.fail(`seed ${seed}, step ${step}`);
        bytes[offset] = mark;
        bytes[offset + byteLength - 1] = mark;
        live.push({ offset, byteLength, mark });
      }
    }
    const sorted = live.toSorted((a, b) => a.offset - b.offset);
    sorted.forEach((block, index) => {
      const next = sorted[index + 1];
      if (next !== undefined) expect(block.offset + block.byteLength).toBeLessThanOrEqual(next.offset);
    });
    for (const { offset } of live) arena.free(offset);
    arena.clearCache();
    expect([arena.activeBytes, arena.cachedBytes]).toEqual([0, 0]);
    // Everything has merged: the whole footprint is one block again.
    const footprint = arena.footprintBytes;
    arena.free(arena.allocate(Math.floor((footprint - 1024) * 0.9)));
    expect(arena.footprintBytes).toBe(footprint);
  });

  it("holds a flat footprint over 50 repeating shapes", () => {
    const arena = new Arena();
    const random = randomNumbers(7);
    const shapes = Array.from({ length: 50 }, () => Array.from({ length: 12 }, () => anySize(random)));
    let plateau = 0;
    for (let iteration = 0; iteration < 10_000; iteration++) {
      const offsets = (shapes[iteration % 50] ?? []).map((byteLength) => arena.allocate(byteLength));
      for (const offset of offsets) arena.free(offset);
      if (iteration === 1000) plateau = arena.footprintBytes;
    }
    expect(arena.footprintBytes).toBe(plateau);
    expect(arena.activeBytes).toBe(0);
    expect(arena.cachedBytes).toBeLessThanOrEqual(arena.cacheLimit);
  });

  it("merges small freed blocks into one large one before the memory grows", () => {
    const arena = new Arena();
    const offsets = Array.from({ length: 64 }, () => arena.allocate(64 * 1024));
    const footprint = arena.footprintBytes;
    for (const offset of offsets) arena.free(offset);
    expect(arena.cachedBytes).toBe(4 * MiB);
    arena.allocate(4 * MiB);
    expect(arena.footprintBytes).toBe(footprint);
    expect(arena.cachedBytes).toBe(0);
  });

  it("reuses the block that was freed last for the next request of its size", () => {
    const arena = new Arena();
    const first = arena.allocate(1000);
    arena.allocate(1000);
    arena.free(first);
    expect(arena.allocate(1001)).toBe(first);
  });

  it("counts active, peak and cached bytes", () => {
    const arena = new Arena();
    const [a, b] = [arena.allocate(1024), arena.allocate(2048)];
    expect([arena.activeBytes, arena.peakBytes, arena.cachedBytes]).toEqual([3072, 3072, 0]);
    arena.free(a);
    expect([arena.activeBytes, arena.peakBytes, arena.cachedBytes]).toEqual([2048, 3072, 1024]);
    arena.resetPeak();
    expect(arena.peakBytes).toBe(2048);
    arena.clearCache();
    expect(arena.cachedBytes).toBe(0);
    arena.free(b);
    expect(arena.activeBytes).toBe(0);
  });

  it("does not count reserved blocks as active", () => {
    const arena = new Arena();
    const offset = arena.reserve(4096);
    expect(arena.activeBytes).toBe(0);
    arena.free(offset);
    expect(arena.activeBytes).toBe(0);
  });

  it("keeps nothing in the cache past its limit", () => {
    const arena = new Arena();
    arena.cacheLimit = 4096;
    const offsets = [4096, 4096, 64].map((byteLength) => arena.allocate(byteLength));
    for (const offset of offsets) arena.free(offset);
    expect(arena.cachedBytes).toBeLessThanOrEqual(4096);
    arena.cacheLimit = 0;
    expect(arena.cachedBytes).toBe(0);
  });

  it("a view taken after growth sees what was written before", () => {
    const arena = new Arena({ initialByteLength: MiB });
    const offset = arena.allocate(16);
    arena.bytes()[offset] = 42;
    arena.allocate(64 * MiB);
    expect(arena.bytes()[offset]).toBe(42);
    expect(arena.bytes().length).toBeGreaterThan(64 * MiB);
  });

  it("says what is held when there is no room, and goes on working", () => {
    const arena = new Arena({ initialByteLength: MiB, maximumByteLength: 8 * MiB });
    const offset = arena.allocate(4 * MiB);
    expect(() => arena.allocate(6 * MiB)).toThrow(OutOfMemoryError);
    expect(() => arena.allocate(6 * MiB)).toThrow(/no room for 6291456 bytes: 4194304 bytes are in use/);
    expect(arena.tryAllocate(6 * MiB)).toBe(-1);
    arena.free(offset);
    expect(arena.allocate(6 * MiB)).toBeGreaterThan(0);
  });

  it("keeps to the memory limit", () => {
    const arena = new Arena();
    arena.memoryLimit = 2 * MiB;
    expect(() => arena.allocate(3 * MiB)).toThrow(/at most 2097152/);
    expect(arena.allocate(MiB)).toBeGreaterThan(0);
  });

  it("refuses to free a block twice", () => {
    const arena = new Arena();
    const offset = arena.allocate(100);
    arena.free(offset);
    expect(() => arena.free(offset)).toThrow(/no block in use/);
  });
});
