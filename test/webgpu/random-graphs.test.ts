/** Random graphs on the GPU give what the interpreter gives: fused, kernel by kernel, and compiled. */
import * as mx from "mlx-ts";
import { afterAll, describe } from "vitest";
import { currentRuntime, setGpu } from "../../src/array/device.ts";
import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { itComputesAlike } from "../conformance/compare-graphs.ts";
import { testDevice } from "../setup/gpu-device.ts";

const runtime = currentRuntime();
mx.setDefaultDevice("cpu", { wide: "cpu" });
setGpu(new WebGpuBackend(await testDevice()));

describe("a random graph on the GPU", () => {
  afterAll(() => setGpu(null));
  itComputesAlike(
    { name: "reference", runtime: new Runtime(new ReferenceBackend(), { fusion: true }) },
    [
      { name: "webgpu", runtime, device: "gpu" },
      { name: "webgpu, compiled", runtime, device: "gpu", isCompiled: true },
    ],
    24,
  );
});
