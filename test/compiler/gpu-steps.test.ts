/** What a compiled training step costs on the GPU besides its arithmetic: dispatches, and what is made anew at every run. */
import * as mx from "mlx-ts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { gptGradient, gptStep, mlpStep } from "../../bench/src/library-mlx.ts";
import { setGpu } from "../../src/array/device.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import type { Asked } from "../setup/idle-device.ts";
import { idleDevice } from "../setup/idle-device.ts";

afterEach(() => {
  mx.setDefaultDevice("cpu");
  setGpu(null);
  vi.useRealTimers();
});

/** What runs of a step ask the device for, once it has run a few times. */
async function askedBy(
  prepare: () => Promise<{ run(): Promise<void> }>,
  runs: number,
  immediateBytes = 64,
): Promise<Asked> {
  const { open, asked } = idleDevice();
  setGpu(new WebGpuBackend({ ...open, target: { ...open.target, immediateBytes } }));
  mx.setDefaultDevice("gpu");
  const { run } = await prepare();
  for (let k = 0; k < 8; k++) await run();
  await mx.synchronize();
  // A task of their own, whose end, which is when held work is submitted, does not come.
  await new Promise((resolve) => setTimeout(resolve, 5));
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const before = { ...asked };
  for (let k = 0; k < runs; k++) await run();
  await mx.synchronize();
  return {
    buffers: asked.buffers - before.buffers,
    bindGroups: asked.bindGroups - before.bindGroups,
    pipelines: asked.pipelines - before.pipelines,
    dispatches: asked.dispatches - before.dispatches,
    submissions: asked.submissions - before.submissions,
    writes: asked.writes - before.writes,
    immediates: asked.immediates - before.immediates,
  };
}

const nothingNew = { buffers: 0, bindGroups: 0, pipelines: 0, writes: 0 };

describe("a run on the GPU makes no buffer, bind group or pipeline anew, writes no constant, and dispatches", () => {
  it("14 times for an Adam step of a perceptron", async () => {
    expect(await askedBy(mlpStep, 4)).toEqual({ ...nothingNew, dispatches: 4 * 14, immediates: 0, submissions: 3 });
  });

  it("180 times for an AdamW step of a GPT of 4 layers", async () => {
    expect(await askedBy(gptStep, 4)).toEqual({
      ...nothingNew,
      dispatches: 4 * 180,
      immediates: 0,
      submissions: 4,
    });
  });

  it("179 times for its value and gradient", async () => {
    expect(await askedBy(gptGradient, 4)).toEqual({
      ...nothingNew,
      dispatches: 4 * 179,
      immediates: 0,
      submissions: 4,
    });
  });
});

describe("a constant that changes from run to run", () => {
  const scaled = async (): Promise<{ run(): Promise<void> }> => {
    const x = mx.ones([4]);
    await mx.evaluate(x);
    let factor = 1;
    return {
      run: async () => {
        const y = x.mul(++factor).add(factor);
        await mx.evaluate(y);
        y.dispose();
      },
    };
  };
  const run = { ...nothingNew, dispatches: 4 };

  it("is given with the dispatch, in a short plan", async () => {
    expect(await askedBy(scaled, 4)).toEqual({ ...run, immediates: 4, submissions: 2 });
  });

  it("is written where there are no immediates, or not as many", async () => {
    expect(await askedBy(scaled, 4, 0)).toEqual({ ...run, writes: 4, immediates: 0, submissions: 4 });
  });
});

it("a loop over batches of data on the CPU compiles nothing for each, and moves the batch alone", async () => {
  const rows = mx.fromTypedArray(new Float32Array(1000 * 64), [1000, 64]);
  const before = mx.memory.moves.toGpu;
  let batch = 0;
  const asked = await askedBy(
    () =>
      Promise.resolve({
        run: async () => {
          const x = rows.get(`${batch}:${batch + 32}`);
          batch += 7;
          const y = x.mul(2).sum();
          await mx.evaluate(y);
          y.dispose();
          x.dispose();
        },
      }),
    4,
  );
  expect(asked).toEqual({ ...nothingNew, writes: 4, dispatches: 4, immediates: 4, submissions: 4 });
  const { count, bytes } = mx.memory.moves.toGpu;
  expect([count - before.count, bytes - before.bytes]).toEqual([12, 12 * 32 * 64 * 4]);
});
