/** Every row on the GPU gives what the reference gives, also on a device that has no more than it must. */
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { dtypes } from "../../src/base/dtype.ts";
import { describeRows } from "../laws/backend-rows.ts";
import { floorDevice, testDevice } from "../setup/gpu-device.ts";

const computed = dtypes.filter((dtype) => !["float64", "int64", "uint64"].includes(dtype));

/**
 * Running results are kept in float32 here, in float64 by the definition; what is multiplied and added may or may not be
 * rounded in between.
 */
const ulps = { scanRow: 4, recurrenceRow: 4, quantizedMatmulRow: 8 };

/** Decompositions, which the functions that are made of them refuse on the GPU. */
const lacks = new Set([
  ...["luRow", "triangularRow", "factoredRow", "solveRow", "choleskyRow", "detRow", "logDetRow", "cofactorsRow"],
  ...["qrRow", "eighRow", "eigvalshRow", "svdRow", "singularValuesRow", "complementRow", "pinvRow"],
]);

for (const [name, open] of [
  ["webgpu", testDevice],
  ["webgpu with the least abilities", floorDevice],
] as const) {
  const backend = new WebGpuBackend(await open());
  describeRows({ name, backend, dtypes: computed, flushesSubnormals: true, ulps, lacks });
}
