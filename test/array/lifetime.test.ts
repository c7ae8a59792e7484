/** dispose, `using` and tidy: certainty for those who want it. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { testUnder } from "../setup/wasm-runtimes.ts";

async function computed(size: number): Promise<mx.MLXArray> {
  const x = mx.ones([size]).mul(2);
  await mx.evaluate(x);
  return x;
}

describe("dispose", () => {
  // Memory of its own: what other tests left behind may be collected at any time.
  testUnder(() => {
    const backend = new WasmBackend({ threads: 1, arena: new Arena({ maximumByteLength: 2 ** 26 }) });
    return new Runtime(backend, { fusion: true });
  });

  it("returns the memory at once", async () => {
    const x = await computed(100_000);
    const before = mx.memory.active;
    x.dispose();
    expect(before - mx.memory.active).toBeGreaterThanOrEqual(400_000);
    expect(x.isDisposed).toBe(true);
  });

  it("may be called twice", async () => {
    const x = await computed(1000);
    x.dispose();
    const after = mx.memory.active;
    x.dispose();
    expect(mx.memory.active).toBe(after);
  });

  it("makes every later use an error that names the array", async () => {
    const x = await computed(10);
    x.dispose();
    expect(() => x.add(1)).toThrow(mx.DisposedError);
    expect(() => x.add(1)).toThrow(/float32 \[10\]/);
    await expect(x.tolist()).rejects.toThrow(mx.DisposedError);
    await expect(x.data()).rejects.toThrow(mx.DisposedError);
    await expect(mx.evaluate(x)).rejects.toThrow(mx.DisposedError);
  });

  it("waits for pending computations that read the array", async () => {
    const x = await computed(100_000);
    const y = x.sum();
    const before = mx.memory.active;
    x.dispose();
    expect(mx.memory.active).toBe(before);
    expect(await y.item()).toBe(200_000);
    expect(before - mx.memory.active).toBeGreaterThanOrEqual(390_000);
  });

  it("gives back the memory of what an update has replaced, as soon as that is computed", async () => {
    let x = mx.zeros([64, 64]);
    await mx.evaluate(x);
    const before = mx.memory.active;
    for (let row = 0; row < 8; row++) {
      const next = x.at(row).set(row);
      x.dispose();
      await mx.evaluate(next);
      x = next;
      expect(mx.memory.active).toBe(before);
    }
    expect(await x.sum().item()).toBe(64 * 28);
  });

  it("waits for all results of a compiled call, which read the array together", async () => {
    const both = mx.compile((a: mx.MLXArray) => [a.add(1), a.mul(2), a.sum()] as const);
    const x = await computed(100_000);
    const before = mx.memory.active;
    const [more, twice, total] = both(x);
    x.dispose();
    more.dispose();
    total.dispose();
    expect(mx.memory.active).toBe(before);
    expect((await twice.data())[0]).toBe(4);
    expect(mx.memory.active).toBeLessThanOrEqual(before);

    const y = await computed(100_000);
    const held = mx.memory.active;
    const pending = both(y);
    y.dispose();
    for (const result of pending) result.dispose();
    expect(held - mx.memory.active).toBeGreaterThanOrEqual(400_000);
  });

  it("frees the inputs of a pending array that will never be computed", async () => {
    const x = await computed(100_000);
    const y = x.add(1);
    const before = mx.memory.active;
    x.dispose();
    y.dispose();
    expect(before - mx.memory.active).toBeGreaterThanOrEqual(400_000);
  });

  it("is what an array tells that was passed over until what it was made of had gone", async () => {
    for (const x of [await computed(10), mx.ones([10]).mul(3)]) {
      const passedOver = mx.sort(x);
      const result = passedOver.mul(2);
      x.dispose();
      await mx.evaluate(result);
      await expect(passedOver.tolist()).rejects.toThrow(mx.DisposedError);
      expect(() => mx.explain(passedOver)).toThrow(mx.DisposedError);
      expect(() => passedOver.add(1)).toThrow(mx.DisposedError);
    }
  });

  it("leaves an array alone that shares its memory", async () => {
    const x = await computed(1000);
    const y = x.reshape([10, 100]);
    await mx.evaluate(y);
    x.dispose();
    expect(await y.sum().item()).toBe(2000);
  });

  it("happens at the end of a using block", async () => {
    const before = mx.memory.active;
    {
      using x = await computed(100_000);
      expect(mx.memory.active).toBeGreaterThanOrEqual(before + 400_000);
      expect(x.isEvaluated).toBe(true);
    }
    expect(mx.memory.active).toBeLessThanOrEqual(before);
  });
});

describe("tidy", () => {
  it("disposes what was made inside and is not in the result", async () => {
    const seen: mx.MLXArray[] = [];
    const result = mx.tidy(() => {
      const x = mx.array(new Float32Array(1000).fill(3));
      const y = x.add(1);
      seen.push(x, y);
      return { total: y.sum(), list: [y.max()] };
    });
    expect(seen.every(({ isDisposed }) => isDisposed)).toBe(true);
    expect(await result.total.item()).toBe(4000);
    expect(await result.list[0]?.item()).toBe(4);
  });

  it("gives the memory back once the result is computed", async () => {
    const before = mx.memory.active;
    const total = mx.tidy(() => mx.array(new Float32Array(100_000).fill(1)).sum());
    expect(await total.item()).toBe(100_000);
    expect(mx.memory.active - before).toBeLessThan(1000);
  });

  it("keeps arrays from outside", async () => {
    const x = mx.array([1, 2, 3]);
    const y = mx.tidy(() => x.mul(x));
    expect(await y.tolist()).toEqual([1, 4, 9]);
    expect(x.isDisposed).toBe(false);
  });

  it("lets go of a chain of 100,000 operations, also inside another one", async () => {
    const chain = (): mx.MLXArray => {
      let x = mx.ones([2]);
      for (let i = 0; i < 100_000; i++) x = x.add(1);
      return x.sum();
    };
    expect(await mx.tidy(chain).item()).toBe(200_002);
    expect(await mx.tidy(() => mx.tidy(chain)).item()).toBe(200_002);
  });

  it("keeps an array made outside of an inner tidy but inside an outer one until the outer ends", async () => {
    let inner: mx.MLXArray | undefined;
    const result = mx.tidy(() => {
      inner = mx.tidy(() => mx.array([1, 2]).add(1));
      expect(inner.isDisposed).toBe(false);
      return inner.sum();
    });
    expect(inner?.isDisposed).toBe(true);
    expect(await result.item()).toBe(5);
  });

  it("leaves what a compiled function recorded to its next call", async () => {
    const x = mx.array([1, 2, 3]);
    const kept = mx.array([1, 1, 1]).mul(5);
    const compiled = mx.compile((a: mx.MLXArray) => a.mul(mx.array([1, 2, 3])).add(kept));
    mx.tidy(() => {
      compiled(x);
    });
    expect(await compiled(x).tolist()).toEqual([6, 9, 14]);
    expect(await kept.tolist()).toEqual([5, 5, 5]);
  });

  it("leaves calls of a compiled function with the same arguments alone", async () => {
    const x = mx.array([1, 2, 3]);
    const compiled = mx.compile((a: mx.MLXArray) => a.mul(2));
    await mx.evaluate(compiled(x));
    let first: Promise<void> | undefined;
    mx.tidy(() => {
      first = mx.evaluate(compiled(x).add(1));
    });
    expect(await compiled(x).add(2).tolist()).toEqual([4, 6, 8]);
    await first;
  });

  it("leaves the random state, which moves on in it", async () => {
    mx.random.seed(3);
    const numbers = [mx.random.normal([2]), mx.random.normal([2])];
    mx.random.seed(3);
    mx.random.state.key = mx.array(mx.random.state.key);
    const first = mx.tidy(() => mx.random.normal([2]));
    expect(await mx.arrayEqual(first, numbers[0] ?? first).item()).toBe(true);
    expect(await mx.arrayEqual(mx.random.normal([2]), numbers[1] ?? first).item()).toBe(true);
  });

  it("passes an error on and refuses asynchronous functions", () => {
    expect(() =>
      mx.tidy(() => {
        throw new RangeError("mine");
      }),
    ).toThrow(RangeError);
    expect(() => mx.tidy(async () => mx.array(1))).toThrow(mx.ArgumentError);
  });
});
