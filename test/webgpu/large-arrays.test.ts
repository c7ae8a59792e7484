/** Arrays and scratch memory larger than a binding are bound in parts: on a device whose bindings are small, so that arrays may be. */
import * as mx from "mlx-ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import type { GpuDevice } from "../../src/backends/webgpu/gpu-api.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { DeviceError } from "../../src/base/errors.ts";
import { testDevice } from "../setup/gpu-device.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const bindingBytes = 12_288;

/** `device`, refusing bindings that are larger. */
function strict(device: GpuDevice): GpuDevice {
  return new Proxy(device, {
    get(target, key) {
      if (key === "createBindGroup") {
        return (descriptor: Parameters<GpuDevice["createBindGroup"]>[0]): object => {
          const sizes = descriptor.entries.map(
            ({ resource: { buffer, offset = 0, size } }) => size ?? buffer.size - offset,
          );
          expect(Math.max(...sizes)).toBeLessThanOrEqual(bindingBytes);
          return target.createBindGroup(descriptor);
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

beforeAll(async () => {
  const open = await testDevice();
  const target = { ...open.target, bindingBytes, storageBuffers: 8 };
  setGpu(new WebGpuBackend({ ...open, device: strict(open.device), target, isShared: true }));
});
afterAll(() => setGpu(null));

/** 5,000 elements: 20,000 bytes of float32, none of them equal. */
const wave = (): mx.MLXArray => mx.array(Float32Array.from({ length: 5000 }, (_, k) => Math.sin(k * k)));
const places = (): mx.MLXArray => mx.array(Int32Array.from({ length: 5000 }, (_, k) => (k * 7919) % 97));

const computations: Readonly<Record<string, () => mx.MLXArray>> = {
  "elementwise operations": () => wave().mul(2).add(places()),
  "sums of all": () => places().sum(),
  "sums of columns": () => places().reshape([50, 100]).sum(0),
  "matrix products": () => {
    const x = places().asType("float32");
    return x.reshape([50, 100]).matmul(x.reshape([100, 50]));
  },
  sort: () => mx.sort(wave()),
  "sort of two rows": () => mx.sort(wave().reshape([2, 2500]), -1),
  "argSort of equal elements": () => mx.argSort(places()),
  partition: () => mx.partition(wave(), 2000).get("2000"),
  topK: () => mx.sort(mx.topK(wave(), 2100)),
  "running sums": () => places().cumsum(),
  "running greatest, from the end": () => mx.cummax(wave(), 0, { reverse: true }),
  "gathered elements": () => mx.take(wave(), places(), 0),
  "added elements": () => mx.zeros([97], "int32").at(places()).add(places()),
  "set elements": () => mx.zeros([5000], "int32").at(mx.argSort(wave())).set(places()),
  "greatest of each place": () => mx.zeros([97]).at(places()).maximum(wave()),
  joined: () => mx.concatenate([wave(), mx.get(wave(), "1:2001")], 0),
};

it.each(Object.entries(computations))("%s", async (_, compute) => {
  const wanted = await compute().tolist();
  expect(await mx.withDevice("gpu", compute).tolist()).toEqual(wanted);
});

it("more parts than a shader binds are refused before anything runs, with what to do", async () => {
  const x = mx.array(new Float32Array(10_000));
  const sorted = mx.withDevice("gpu", () => mx.argSort(x));
  await expect(mx.evaluate(sorted)).rejects.toThrow(DeviceError);
  await expect(mx.evaluate(sorted)).rejects.toThrow(/at most 8: .* use smaller arrays/);
  expect(await x.add(1).sum().item()).toBe(10_000);
});
