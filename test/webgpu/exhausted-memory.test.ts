/** What a program sees when the GPU has no memory left, and that it goes on afterwards. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { afterEach, describe, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { type Failures, failingDevice } from "./failing-device.ts";

const onGpu = <T>(body: () => T): T => mx.withDevice("gpu", body);

afterEach(() => {
  mx.gpu.close();
  setGpu(null);
});

/** A new backend, which is the GPU from now on and whose device fails as `failures` says. */
async function useBackend(failures: Failures): Promise<WebGpuBackend> {
  const backend = new WebGpuBackend(failingDevice(await openDevice(), failures));
  setGpu(backend);
  return backend;
}

class Net extends nn.Module {
  first: nn.Linear = new nn.Linear(6, 8);
  second: nn.Linear = new nn.Linear(8, 3);
  forward(x: mx.MLXArray): mx.MLXArray {
    return this.second(nn.relu(this.first(x)));
  }
}

describe("exhausted memory", () => {
  it("is an OutOfMemoryError at whichever allocation of a training step it happens, and the next step works", async () => {
    const failures: Failures = { failFrom: Number.POSITIVE_INFINITY, created: 0 };
    const backend = await useBackend(failures);
    mx.setDefaultDevice("gpu");
    try {
      const model = new Net();
      const optimizer = new optim.Adam({ learningRate: 0.01 });
      const [x, y] = [mx.random.normal([5, 6]), mx.random.normal([5, 3])];
      const loss = nn.valueAndGrad(model, (m: Net, a: mx.MLXArray, b: mx.MLXArray) => m(a).sub(b).square().mean());
      await mx.evaluate(model, x, y);
      const step = async (): Promise<number> => {
        const [value, gradients] = loss(model, x, y);
        optimizer.update(model, gradients);
        await mx.evaluate(value, model, optimizer);
        return Number(await value.item());
      };
      await step();
      // Or the collector gives back, in the middle of a step, what that then need not allocate.
      backend.pool.setLimits({ cache: 0 });
      await step();
      let at = 0;
      for (; ; at++) {
        Object.assign(failures, { created: 0, failFrom: at });
        const outcome = await step().catch((error: unknown) => error);
        if (!(outcome instanceof Error)) break;
        expect(outcome).toBeInstanceOf(mx.OutOfMemoryError);
        await expect(step()).rejects.toThrow(/injected/);
        failures.failFrom = Number.POSITIVE_INFINITY;
        expect(Number.isFinite(await step())).toBe(true);
      }
      // Nothing failed, so nothing more was asked for.
      expect(failures.created).toBe(at);
      expect(at).toBeGreaterThan(1);
    } finally {
      mx.setDefaultDevice("cpu");
    }
  });

  it("is an OutOfMemoryError at whichever buffer of a first computation: inputs, constants, results, and what is read through", async () => {
    const elements = Float32Array.from({ length: 3000 }, (_, k) => k / 3000);
    const coefficients = Array.from({ length: 20 }, (_, k) => 0.3 + k / 100); // Too many for immediates.
    const failures: Failures = { failFrom: Number.POSITIVE_INFINITY, created: 0 };
    const compute = (x: mx.MLXArray, one: mx.MLXArray): mx.MLXArray => {
      const polynomial = coefficients.reduce((sum, coefficient) => sum.mul(x).add(coefficient), x);
      return mx.concatenate([polynomial.sub(polynomial.mean()), one.reshape([1])], 0);
    };
    const expected = await compute(mx.array(elements), mx.array(7)).data();
    let allocations = Number.POSITIVE_INFINITY;
    for (let at = 0; at < allocations; at++) {
      const backend = await useBackend(failures);
      const [x, one] = [mx.array(elements), mx.array(7)];
      const y = onGpu(() => compute(x, one));
      Object.assign(failures, { failFrom: at, created: 0 });
      const outcome = await y.data().catch((error: unknown) => error);
      if (at === 0 || outcome instanceof Error) {
        expect(outcome).toBeInstanceOf(mx.OutOfMemoryError);
        await expect(y.data()).rejects.toThrow(/injected/);
        failures.failFrom = Number.POSITIVE_INFINITY;
        const found = await y.data();
        expect(found.length).toBe(expected.length);
        for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(Number(value), 3);
        await mx.synchronize();
      } else allocations = at;
      for (const array of [x, one, y]) array.dispose();
      expect(backend.memory().active).toBe(0);
      mx.gpu.close();
      backend.close();
    }
    expect(allocations).toBeGreaterThan(4);
  });

  it("names the array that does not fit and what is held, and frees what the failed evaluation took", async () => {
    const backend = await useBackend({ failFrom: Number.POSITIVE_INFINITY, created: 0 });
    const x = mx.array(new Float32Array(4096));
    await mx.evaluate(onGpu(() => x.add(1)));
    const { active } = backend.memory();
    backend.setLimits({ memory: active + 1000 });
    const y = onGpu(() => x.mul(2));
    await expect(mx.evaluate(y)).rejects.toThrow(mx.OutOfMemoryError);
    await expect(mx.evaluate(y)).rejects.toThrow(
      /array\(float32 \[4096\], not yet computed\) does not fit.*in use on the GPU/s,
    );
    expect(backend.memory().active).toBeLessThanOrEqual(active);
    backend.setLimits({ memory: Number.POSITIVE_INFINITY });
    expect((await y.data()).length).toBe(4096);
  });

  it("is what a limit brings about that was set before the GPU was opened", async () => {
    mx.memory.setMemoryLimit(2 ** 22);
    try {
      const large = onGpu(() => mx.zeros([2 ** 21]).add(mx.arange(2 ** 21)));
      await expect(mx.evaluate(large)).rejects.toThrow(/do not fit: \d+ of 4194304 are in use on the GPU/);
      mx.gpu.close();
      await expect(mx.evaluate(large)).rejects.toThrow(mx.OutOfMemoryError);
    } finally {
      mx.memory.setMemoryLimit(Number.POSITIVE_INFINITY);
    }
  });
});
