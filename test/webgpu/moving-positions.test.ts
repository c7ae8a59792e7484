/** A loop over positions compiles a shader or two on the GPU, not one for each, and computes what the interpreter computes. */
import * as mx from "mlx-ts";
import { afterAll, afterEach, beforeEach, describe } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { itCompilesOnce, itReadsAndUpdatesAnywhere } from "../conformance/moving-positions.ts";
import { testDevice } from "../setup/gpu-device.ts";

const backend = new WebGpuBackend(await testDevice());

beforeEach(() => {
  setGpu(backend);
  mx.setDefaultDevice("gpu");
});

afterEach(() => {
  mx.setDefaultDevice("cpu");
});

afterAll(() => setGpu(null));

describe("a loop on the GPU that", () => {
  itCompilesOnce(() => backend.pipelines.size, 4);
});

describe("a program on the GPU that reads and updates anywhere", () => {
  itReadsAndUpdatesAnywhere(20, "gpu");
});
