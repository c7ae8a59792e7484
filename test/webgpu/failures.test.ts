/** What a program sees when the GPU fails, and that it goes on afterwards. */
/// <reference types="vite/client" />
import * as mx from "mlx-ts";
import { bufferOf } from "mlx-ts/webgpu";
import { afterEach, describe, expect, it } from "vitest";
import { openedGpu, setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import type { GpuDevice } from "../../src/backends/webgpu/gpu-api.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { onceCollected } from "../setup/collected.ts";
import { changedDevice } from "./changed-device.ts";

/** Devices lost in a row; `VITE_LOST_DEVICES` in the environment asks for more. */
const lostDevices = Number(import.meta.env.VITE_LOST_DEVICES ?? 100);

const onGpu = <T>(body: () => T): T => mx.withDevice("gpu", body);

afterEach(() => {
  mx.gpu.close();
  setGpu(null);
});

/** A new backend, which is the GPU from now on. */
async function useBackend(): Promise<WebGpuBackend> {
  const backend = new WebGpuBackend(await openDevice());
  setGpu(backend);
  return backend;
}

describe("a lost device", () => {
  it("rejects reads of what lay only there, saying so, and the next evaluation works on a new one", async () => {
    const backend = await useBackend();
    const source = mx.array([1, 2, 3]);
    const lost = onGpu(() => source.add(1));
    const kept = onGpu(() => source.mul(2));
    await mx.evaluate(lost, kept);
    await kept.tolist();
    backend.device.destroy();
    await backend.device.lost;
    await expect(lost.tolist()).rejects.toThrow(mx.DeviceError);
    await expect(lost.tolist()).rejects.toThrow(/only copy .* was on a GPU device that was lost/);
    expect(await kept.tolist()).toEqual([2, 4, 6]);
    expect(await onGpu(() => kept.add(source)).tolist()).toEqual([3, 6, 9]);
    await expect(onGpu(() => lost.add(1)).tolist()).rejects.toThrow(mx.DeviceError);
    expect(openedGpu()?.backend).not.toBe(backend);
  });

  it.each(["read", "evaluation"])("is what a %s says that fails before, in the device's own words", async (act) => {
    const open = await openDevice();
    const { device } = open;
    let isGone = false;
    const unlessGone = <T>(work: () => Promise<T>): Promise<T> =>
      isGone ? Promise.reject(new Error("Parent device is lost")) : work();
    const late = changedDevice(device, {
      lost: device.lost.then(async (loss) => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        return loss;
      }),
      popErrorScope: () => unlessGone(() => device.popErrorScope()),
      createComputePipelineAsync: (descriptor: Parameters<GpuDevice["createComputePipelineAsync"]>[0]) =>
        unlessGone(() => device.createComputePipelineAsync(descriptor)),
    });
    setGpu(new WebGpuBackend({ ...open, device: late }));
    const x = onGpu(() => mx.array([1, 2, 3]).add(1));
    await mx.evaluate(x);
    isGone = true;
    device.destroy();
    const outcome = await (act === "read" ? x : onGpu(() => mx.tanh(x))).data().catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(mx.DeviceError);
    expect(String(outcome)).toMatch(act === "read" ? /on a GPU device that was lost/ : /gpu: the device was lost/);
  });

  it("is an error of whoever waits for its work", async () => {
    const backend = await useBackend();
    await onGpu(() => mx.array([1, 2]).add(1)).data();
    const waiting = mx.synchronize();
    backend.device.destroy();
    await expect(waiting).rejects.toThrow(mx.DeviceError);
    await mx.synchronize();
  });

  it("can be lost again and again", { timeout: 300_000 }, async () => {
    const source = mx.array([1, 2, 3]);
    let alive = 0;
    const backends = new FinalizationRegistry<null>(() => {
      alive--;
    });
    for (let round = 0; round < lostDevices; round++) {
      const result = onGpu(() => source.add(round));
      expect(await result.tolist()).toEqual([1 + round, 2 + round, 3 + round]);
      const backend = openedGpu()?.backend;
      if (backend) backends.register(backend, null);
      alive++;
      mx.gpu.close();
    }
    const few = 1 + lostDevices / 10;
    expect(await onceCollected(() => alive, few)).toBeLessThanOrEqual(few);
    expect(source.allocation?.copies?.size ?? 0).toBeLessThanOrEqual(1);
  });
});

describe("a device that the program uses too", () => {
  /** What the device says against a buffer that cannot be. */
  const mistake = (device: GpuDevice): void => {
    device.createBuffer({ size: 16, usage: 0xffff });
  };

  it("keeps the program's mistakes apart from the library's, in the scopes of either and outside of them", async () => {
    const { device } = await openDevice();
    await mx.gpu.use(device);
    const x = mx.array([1, 2, 3]);
    device.pushErrorScope("validation");
    const sum = onGpu(() => x.mul(3).sum()).item();
    mistake(device);
    const found = device.popErrorScope();
    expect(await sum).toBe(18);
    expect((await found)?.message).toBeTruthy();
    mistake(device);
    await device.queue.onSubmittedWorkDone();
    expect(await onGpu(() => x.mul(5).sum()).item()).toBe(30);
    mx.gpu.close();
    // It is not destroyed: it still computes.
    await device.queue.onSubmittedWorkDone();
    await mx.gpu.use(device);
    expect(await onGpu(() => x.sum()).item()).toBe(6);
    mx.gpu.close();
    device.destroy();
  });

  it("gets the memory back when it is let go of, that of arrays when they go", async () => {
    const { device } = await openDevice();
    let held = 0;
    const counted = changedDevice(device, {
      createBuffer: (descriptor: Parameters<GpuDevice["createBuffer"]>[0]) => {
        const buffer = device.createBuffer(descriptor);
        held++;
        const destroy = buffer.destroy.bind(buffer);
        buffer.destroy = () => {
          held--;
          destroy();
        };
        return buffer;
      },
    });
    await mx.gpu.use(counted);
    const kept = onGpu(() => mx.arange(5000).add(1));
    await kept.data();
    for (let size = 1000; size < 9000; size += 1000) {
      const other = onGpu(() => mx.arange(size).add(1));
      await other.data();
      other.dispose();
    }
    expect(held).toBeGreaterThan(4);
    mx.gpu.close();
    expect(held).toBe(1);
    kept.dispose();
    expect(held).toBe(0);
    device.destroy();
  });

  it("is not lost already", async () => {
    const { device } = await openDevice();
    device.destroy();
    await expect(mx.gpu.use(device)).rejects.toThrow(/gpu: the device was lost \(.+\): open another one/);
    await expect(mx.gpu.use(device)).rejects.toThrow(mx.DeviceError);
    expect(openedGpu()).toBeNull();
  });

  it("is a device: anything else is refused by name", async () => {
    for (const other of [null, {}, { queue: {} }]) {
      const given: unknown = other;
      await expect(Reflect.apply(mx.gpu.use, mx.gpu, [given])).rejects.toThrow(/gpu\.use: takes a GPUDevice/);
    }
  });
});

describe("a kernel that the GPU does not take", () => {
  const compute = (): mx.MLXArray => {
    const x = mx.array(new Float32Array(2048)).reshape([64, 32]);
    const weights = mx.array(new Float32Array(160)).reshape([32, 5]);
    return onGpu(() => mx.softmax(x.matmul(weights).add(1), -1).sum(0));
  };

  async function useChanged(own: (device: GpuDevice) => object): Promise<void> {
    const open = await openDevice();
    setGpu(new WebGpuBackend({ ...open, device: changedDevice(open.device, own(open.device)) }));
  }

  it("is named with what it works on where it does not compile", async () => {
    await useChanged((device) => ({
      createShaderModule: ({ code }: { readonly code: string }) =>
        device.createShaderModule({ code: code.replace("fn main", "fn other") }),
    }));
    await expect(compute().data()).rejects.toThrow(mx.DeviceError);
    await expect(compute().data()).rejects.toThrow(
      /the kernel matmul .*\(64 × 5 × 32: float32\[2048\], float32\[160\] → float32\[320\]\) does not compile/,
    );
  });

  it("is named with what it works on, alone of its plan, where it does not run, and runs when the device takes it", async () => {
    let isStrict = true;
    await useChanged((device) => ({
      createBindGroup: (descriptor: Parameters<GpuDevice["createBindGroup"]>[0]) => {
        const { layout, entries } = descriptor;
        // Those of the product have more entries than any other.
        return device.createBindGroup({ layout, entries: isStrict && entries.length > 2 ? entries.slice(1) : entries });
      },
    }));
    for (let round = 0; round < 2; round++) {
      const message = String(
        await compute()
          .data()
          .catch((error: unknown) => error),
      );
      expect(message).toMatch(
        /^DeviceError: gpu: the GPU refuses matmul [a-zA-Z ]*\(64 × 5 × 32: [^)]*\): [^;]*entries/,
      );
    }
    isStrict = false;
    expect(await compute().sum().item()).toBeCloseTo(64, 3);
  });

  it.each([false, true])(
    "is an error of what reads its results where it ran before, on a device of the program's own: %s",
    async (isShared) => {
      const open = await openDevice();
      setGpu(new WebGpuBackend({ ...open, isShared }));
      const given = [1, 2].map((k) => onGpu(() => mx.arange(5).mul(k)));
      await mx.evaluate(given);
      const [first, second] = given;
      if (!first || !second) throw new Error("two arrays");
      const next = (x: mx.MLXArray): Promise<unknown> => onGpu(() => x.add(1)).tolist();
      expect(await next(first)).toEqual([1, 2, 3, 4, 5]);
      const { buffer } = await bufferOf(first);
      buffer.destroy();
      await expect(next(first)).rejects.toThrow(/the GPU refused earlier work: .*destroyed/);
      expect(await next(second)).toEqual([1, 3, 5, 7, 9]);
    },
  );
});
