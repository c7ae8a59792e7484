/** Single operations placed on the GPU, between others on the CPU. */
import * as mx from "mlx-ts";
import { afterEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { floorDevice } from "../setup/gpu-device.ts";

afterEach(() => {
  mx.gpu.close();
  setGpu(null);
});

it("one operation runs on the GPU, and another on the CPU, by their options", async () => {
  setGpu(new WebGpuBackend(await openDevice()));
  const a = mx.random.normal([8, 16], { key: mx.random.key(1) });
  const b = mx.random.normal([16, 4], { key: mx.random.key(2), device: "gpu" });
  const product = mx.matmul(a, b, { device: "gpu" });
  const sums = product.add(1, { device: "cpu" }).sum(1, { keepAxes: true, device: "gpu" });
  expect([a, b, product, sums].map(({ device }) => device)).toEqual(["cpu", "gpu", "gpu", "gpu"]);
  const expected = mx
    .matmul(a, mx.random.normal([16, 4], { key: mx.random.key(2) }))
    .add(1)
    .sum(1, { keepAxes: true });
  expect(await mx.allClose(sums, expected, { rtol: 1e-4, atol: 1e-4 }).item()).toBe(true);
  expect(mx.memory.moves.toGpu.count).toBeGreaterThan(0);
});

it("gradients follow the operations they come from", async () => {
  setGpu(new WebGpuBackend(await openDevice()));
  const loss = (x: mx.MLXArray): mx.MLXArray => mx.exp(x, { device: "gpu" }).mul(x).sum();
  const x = mx.array([0, 0.5, 1]);
  const slope = await mx.grad(loss)(x).data();
  const values = await x.data();
  slope.forEach((value, k) => {
    const at = Number(values[k]);
    expect(Number(value)).toBeCloseTo(Math.exp(at) * (at + 1), 5);
  });
});

it("an index may have more arrays than a kernel binds", async () => {
  setGpu(new WebGpuBackend(await floorDevice()));
  const x = mx.arange(2 ** 8, { dtype: "float32" }).reshape(new Array(8).fill(2));
  const places = Array.from({ length: 8 }, (_, k) =>
    mx.remainder(mx.floorDivide(mx.arange(9, { dtype: "int32" }), k + 1), 2),
  );
  await mx.evaluate(x, places);
  const compute = (): mx.MLXArray[] => [
    x.get(...places),
    x.at(...places).add(mx.arange(9)),
    mx.grad((y: mx.MLXArray) => y.get(...places).sum())(x),
  ];
  const [expected, found] = [compute(), mx.withDevice("gpu", compute)];
  for (const [k, result] of found.entries()) expect(await result.tolist()).toEqual(await expected[k]?.tolist());
});

it("reading on a GPU converts to types that no GPU has", async () => {
  setGpu(new WebGpuBackend(await openDevice()));
  const x = mx.add(mx.array([0.5, 1]), 0.25, { device: "gpu" });
  const read = mx.withDevice("gpu", () => [x.data("float64"), x.mul(4).data("int64")] as const);
  expect([...(await read[0])]).toEqual([0.75, 1.25]);
  expect([...(await read[1])]).toEqual([3n, 5n]);
});

it("decompositions on the CPU stand between operations on the GPU, and gradients go through both", async () => {
  setGpu(new WebGpuBackend(await openDevice()));
  const x = mx.array([
    [2, 1],
    [1, 3],
  ]);
  const loss = (device: mx.Device) => (given: mx.MLXArray) => {
    const shifted = given.add(1, { device });
    const inverse = mx.linalg.inv(shifted, { device: "cpu" });
    return inverse.mul(2, { device }).sum({ device });
  };
  const [value, slope] = mx.valueAndGrad(loss("gpu"))(x);
  const [expected, expectedSlope] = mx.valueAndGrad(loss("cpu"))(x);
  expect(value.device).toBe("gpu");
  expect(await value.item()).toBeCloseTo(Number(await expected.item()), 5);
  expect(await mx.allClose(slope, expectedSlope, { rtol: 1e-5 }).item()).toBe(true);
  expect(() => mx.withDevice("gpu", () => mx.linalg.solve(x, x))).toThrow(mx.DeviceError);
});
