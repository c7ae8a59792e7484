/** Memory stays bounded without a single `dispose`, exhausted memory is an error like any other, and limits hold. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { onceCollected } from "../setup/collected.ts";
import { testUnder } from "../setup/wasm-runtimes.ts";

const megabyte = 1024 * 1024;

const iterations = 10_000;

/** The collectors of Firefox and WebKit come later than V8's, when the whole page, the engine's memory with it, has doubled. */
const isPatient = /Firefox|AppleWebKit(?!.*Chrome)/.test(globalThis.navigator?.userAgent ?? "");
/** Bytes that the garbage of a loop may reach, and that may be left of it once the collector has come. */
const [garbageLimit, rest] = [(isPatient ? 640 : 320) * megabyte, 16 * megabyte];

/** The most bytes that were active beyond those at the start of a loop, and the most that were cached. */
class Watch {
  readonly #before = mx.memory.active;
  active = 0;
  cached = 0;

  note(): void {
    this.active = Math.max(this.active, mx.memory.active - this.#before);
    this.cached = Math.max(this.cached, mx.memory.cache);
  }

  /** The loop never held more than `limit`, and holds next to nothing now: nothing grew with every step. */
  async expectPlateau(limit: number): Promise<void> {
    expect(this.active).toBeLessThan(limit);
    expect(this.cached).toBeLessThanOrEqual(256 * megabyte);
    const enough = this.#before + rest;
    expect(await onceCollected(() => mx.memory.active, enough)).toBeLessThanOrEqual(enough);
  }
}

/** Row counts that vary over 50 values. */
function rowsAt(iteration: number): number {
  return 20 + 7 * (iteration % 50);
}

describe("a loop that disposes nothing", () => {
  it("holds a plateau when it only awaits values", async () => {
    const weight = mx.random.normal([32, 32]);
    await mx.evaluate(weight);
    const watch = new Watch();
    let allocated = 0;
    for (let i = 0; i < iterations; i++) {
      const x = mx.ones([rowsAt(i), 32]).mul(i);
      await mx.evaluate(x);
      const y = mx.tanh(x.matmul(weight).add(1));
      await mx.evaluate(y);
      await y.sum().item();
      allocated += x.nbytes + y.nbytes;
      watch.note();
    }
    expect(allocated).toBeGreaterThan(450 * megabyte);
    await watch.expectPlateau(garbageLimit);
  });

  it("holds nothing for arrays of a few numbers: they lie where the collector sees them", async () => {
    const watch = new Watch();
    for (let i = 0; i < iterations; i++) {
      const x = mx.array([i, 2, 3]);
      await mx.evaluate(x.mul(2));
      await x.add(1).sum().item();
      watch.note();
    }
    expect(watch.active).toBe(0);
  });

  it("holds a plateau when it also awaits something else", async () => {
    const weight = mx.random.normal([32, 32]);
    await mx.evaluate(weight);
    const watch = new Watch();
    for (let i = 0; i < iterations; i++) {
      const y = mx.ones([rowsAt(i), 32]).matmul(weight);
      await mx.evaluate(y);
      await y.mean().item();
      if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 0));
      watch.note();
    }
    await watch.expectPlateau(garbageLimit);
  });

  it("holds a plateau when it trains a compiled step with batches of 50 sizes", async () => {
    const model = new nn.Sequential(new nn.Linear(16, 32), nn.relu, new nn.Linear(32, 10));
    const optimizer = new optim.Adam({ learningRate: 1e-3 }).init(model.trainableParameters());
    const lossOf = (m: typeof model, x: mx.MLXArray, labels: mx.MLXArray): mx.MLXArray =>
      nn.losses.crossEntropy(m(x), labels, { reduction: "mean" });
    await mx.evaluate(model, optimizer);
    const state = [model, optimizer];
    let recorded = 0;
    const step = mx.compile(
      (x: mx.MLXArray, labels: mx.MLXArray): mx.MLXArray => {
        recorded++;
        const [loss, gradients] = nn.valueAndGrad(model, lossOf)(model, x, labels);
        optimizer.update(model, gradients);
        return loss;
      },
      { inputs: state, outputs: state },
    );
    const batches = Array.from(
      { length: 50 },
      (_, k) => [mx.random.normal([k + 3, 16]), mx.remainder(mx.arange(k + 3), 10)] as const,
    );
    await mx.evaluate(batches);
    const watch = new Watch();
    for (let i = 0; i < iterations; i++) {
      const [x, labels] = batches[i % 50] ?? [mx.zeros([3, 16]), mx.zeros([3], "int32")];
      await mx.evaluate(step(x, labels), model, optimizer);
      watch.note();
    }
    expect(recorded).toBe(50);
    expect(await optimizer.step.item()).toBe(iterations);
    await watch.expectPlateau(200 * megabyte);
  });
});

describe("a limit", () => {
  // Memory of its own: what other tests left behind may be collected at any time.
  testUnder(() => {
    const backend = new WasmBackend({ threads: 1, arena: new Arena({ maximumByteLength: 1024 * megabyte }) });
    return new Runtime(backend, { fusion: true });
  });

  it("refuses limits below 0", () => {
    expect(() => mx.memory.setMemoryLimit(-1)).toThrow(/^setMemoryLimit: a limit is a number of bytes from 0, got -1$/);
    expect(() => mx.memory.setCacheLimit(Number.NaN)).toThrow(mx.ArgumentError);
  });

  it("turns an array that does not fit into an error with its shape and what is held; work goes on", async () => {
    const kept = mx.ones([1024, 256]).mul(3);
    await mx.evaluate(kept);
    mx.memory.setMemoryLimit(mx.memory.active + 8 * megabyte);
    const tooLarge = mx.ones([4096, 4096]).add(1);
    const failure = await mx.evaluate(tooLarge).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(mx.OutOfMemoryError);
    expect(String(failure)).toMatch(/float32 \[4096, 4096\]/);
    expect(String(failure)).toMatch(/67108864 bytes/);
    expect(String(failure)).toMatch(/\d+ bytes are in use of at most \d+/);
    // What does not fit may be what a small result is computed from.
    const small = mx.random
      .normal([2048, 2048])
      .matmul(mx.random.normal([2048, 2048]))
      .sum();
    await expect(mx.evaluate(small)).rejects.toThrow(/array\(float32 \[2048, 2048\], not yet computed\) does not fit/);
    expect(await kept.add(1).sum().item()).toBe(1024 * 256 * 4);
    mx.memory.setMemoryLimit(1024 * megabyte);
    expect(await tooLarge.sum().item()).toBe(4096 * 4096 * 2);
  });

  it("keeps nothing of a computation that did not fit", async () => {
    const x = mx.ones([256, 1024]).mul(2);
    await mx.evaluate(x);
    const before = mx.memory.active;
    mx.memory.setMemoryLimit(before + 3 * megabyte);
    const roots = [x.add(1), x.add(2), x.add(3), x.add(4)];
    await expect(mx.evaluate(roots)).rejects.toBeInstanceOf(mx.OutOfMemoryError);
    expect(mx.memory.active).toBeLessThanOrEqual(before);
  });

  it("applies to data given as well", () => {
    mx.memory.setMemoryLimit(mx.memory.active + megabyte);
    expect(() => mx.array(new Float32Array(megabyte))).toThrow(mx.OutOfMemoryError);
  });

  it("bounds the cache", async () => {
    mx.memory.clearCache();
    expect(mx.memory.cache).toBe(0);
    const x = mx.ones([1024, 512]).mul(2);
    await mx.evaluate(x);
    x.dispose();
    expect(mx.memory.cache).toBeGreaterThanOrEqual(2 * megabyte);
    mx.memory.setCacheLimit(megabyte);
    expect(mx.memory.cache).toBeLessThanOrEqual(megabyte);
    const y = mx.ones([1024, 512]).mul(2);
    await mx.evaluate(y);
    y.dispose();
    expect(mx.memory.cache).toBeLessThanOrEqual(megabyte);
    mx.memory.setCacheLimit(256 * megabyte);
  });

  it("has a peak that starts anew", async () => {
    mx.memory.resetPeak();
    const before = mx.memory.peak;
    const x = mx.ones([1024, 1024]).mul(2);
    await mx.evaluate(x);
    expect(mx.memory.peak).toBeGreaterThanOrEqual(before + 4 * megabyte);
    x.dispose();
    mx.memory.resetPeak();
    expect(mx.memory.peak).toBe(mx.memory.active);
  });
});
