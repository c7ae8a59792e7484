/** When what small evaluations encode for the GPU is submitted: the first of a task at once, others together. */
import * as mx from "mlx-ts";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import type { GpuDevice } from "../../src/backends/webgpu/gpu-api.ts";
import { Submissions } from "../../src/backends/webgpu/submissions.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { idleDevice } from "../setup/idle-device.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
});
afterEach(() => {
  mx.setDefaultDevice("cpu");
  setGpu(null);
  vi.useRealTimers();
});

/** Submissions to a device that notes what its queue is asked for: how many encodings are submitted at a time, and writes. */
function noted(holds: boolean): { readonly submissions: Submissions; readonly asked: (number | "write" | "done")[] } {
  const asked: (number | "write" | "done")[] = [];
  const { device } = idleDevice().open;
  const queue: GpuDevice["queue"] = {
    submit: (commands) => asked.push([...commands].length),
    writeBuffer: () => asked.push("write"),
    onSubmittedWorkDone: async () => void asked.push("done"),
  };
  return { submissions: new Submissions({ ...device, queue }, holds), asked };
}

it("the first work of a task is submitted at once, what follows when the task is over", () => {
  const { submissions, asked } = noted(true);
  for (let k = 0; k < 4; k++) submissions.add({}, 1);
  expect(asked).toEqual([1]);
  vi.runAllTimers();
  expect(asked).toEqual([1, 3]);
  submissions.add({}, 1);
  submissions.add({}, 1);
  vi.runAllTimers();
  expect(asked).toEqual([1, 3, 1, 1]);
});

it("work of sixteen dispatches is not held", () => {
  const { submissions, asked } = noted(true);
  submissions.add({}, 1);
  for (let k = 0; k < 5; k++) submissions.add({}, 4);
  submissions.add({}, 180);
  expect(asked).toEqual([1, 4, 2]);
});

it("what is held is submitted before anything is written or waited for", async () => {
  const { submissions, asked } = noted(true);
  for (let k = 0; k < 3; k++) submissions.add({}, 1);
  submissions.write((await bufferOf()).buffer, 0, new Uint8Array(4), 4);
  submissions.add({}, 1);
  await submissions.done();
  submissions.flush();
  expect(asked).toEqual([1, 2, "write", 1, "done"]);
});

it("nothing is held where others submit to the queue too", () => {
  const { submissions, asked } = noted(false);
  for (let k = 0; k < 3; k++) submissions.add({}, 1);
  expect(asked).toEqual([1, 1, 1]);
});

it("eight small evaluations are submitted together, and before a buffer is destroyed or read", async () => {
  const { open, asked } = idleDevice();
  setGpu(new WebGpuBackend(open));
  mx.setDefaultDevice("gpu");
  const x = mx.ones([64]);
  const scaled = async (): Promise<mx.MLXArray> => {
    const y = x.mul(3);
    await mx.evaluate(y);
    return y;
  };
  await mx.evaluate(x);
  for (let k = 0; k < 3; k++) (await scaled()).dispose();
  await mx.synchronize();
  const submissionsOf = async (work: () => unknown): Promise<number> => {
    const before = asked.submissions;
    await work();
    return asked.submissions - before;
  };
  expect(
    await submissionsOf(async () => {
      for (let k = 0; k < 16; k++) (await scaled()).dispose();
    }),
  ).toBeLessThanOrEqual(2);
  const y = await scaled();
  y.dispose();
  expect(await submissionsOf(() => mx.memory.clearCache())).toBe(1);
  const z = await scaled();
  // What is held, and the copy.
  expect(await submissionsOf(() => z.data())).toBe(2);
});

async function bufferOf() {
  const { device } = idleDevice().open;
  return { buffer: device.createBuffer({ size: 4, usage: 0 }) };
}
