/** Integers with and without a sign are compared on the GPU, which has none of their common dtype. */
import * as mx from "mlx-ts";
import { afterAll, beforeAll, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { checkAccuracy, checkIntegerComparisons } from "../conformance/integer-comparison.ts";

beforeAll(async () => {
  setGpu(new WebGpuBackend(await openDevice()));
  mx.setDefaultDevice("gpu");
});
afterAll(() => {
  mx.setDefaultDevice("cpu");
  mx.gpu.close();
  setGpu(null);
});

it("by their values", checkIntegerComparisons);
it("as positions of greatest scores and labels are", checkAccuracy);
