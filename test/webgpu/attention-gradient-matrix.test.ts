/**
 * The gradient of attention of half floats by matrix operations against its definition, with these operations replaced where the
 * driver has none: lengths that fill no block, more keys than queries, grouped heads, several examples.
 */
import * as mx from "mlx-ts";
import { expect, it, vi } from "vitest";
import { attentionOfGradient } from "../../src/backends/webgpu/attention-call.ts";
import { emitMatrixGradient } from "../../src/backends/webgpu/attention-gradient-matrix.ts";
import { overridesComposite } from "../../src/backends/webgpu/kernels.ts";
import type { CompositeKernel } from "../../src/ir/kernel.ts";
import { attentionGradients } from "../../src/primitives/attention-gradient.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget, matrixTarget } from "../setup/gpu-target.ts";
import type { AttentionCase } from "./attention-kernels.ts";
import { buffersOf, kernelOfCall, paramsOf, statisticsOf, statisticsType } from "./attention-kernels.ts";
import { differences } from "./compare-kernel.ts";
import { emulated } from "./emulated-matrices.ts";
import { runKernel } from "./run-kernel.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

/** The kernel that a backend gets for the gradient of this attention. */
function kernelOf(given: AttentionCase): CompositeKernel {
  const { leading, keyHeads, queries, keys, features } = given;
  const query = [...leading, queries, features];
  const key = [...leading.slice(0, -1), keyHeads, keys, features];
  const [ofQueries, ofKeys] = [query, key].map((shape) => ({ shape, dtype: "float16" as const }));
  if (!ofQueries || !ofKeys) throw new Error("there are two types");
  const inputs = [ofQueries, ofKeys, ofKeys, ofQueries, ofQueries, statisticsType(given)];
  return kernelOfCall({ name: "attentionGradient", inputs, output: ofQueries, params: paramsOf(given) }, [
    ofKeys,
    ofKeys,
  ]);
}

const plain: AttentionCase = { leading: [1, 2], keyHeads: 2, queries: 70, keys: 90, features: 32 };

it.for([
  ["in time, with more keys than queries, in longer rows", { ...plain, isCausal: true }, 48],
  ["of lengths that fill no block", { ...plain, leading: [2], features: 64 }, 32],
  ["of heads that share keys, in time", { ...plain, leading: [2, 4], isCausal: true, queries: 40, keys: 50 }, 28],
] satisfies readonly (readonly [string, AttentionCase, number])[])("%s", async ([, given, kibibytes], context) => {
  const withMatrices = matrixTarget(kibibytes);
  const { target } = await testDevice();
  context.skip(!target.hasF16, "the driver has no 16-bit floats");
  const kernel = kernelOf(given);
  const attention = attentionOfGradient(kernel.call);
  if (!attention) throw new Error("the call is the gradient of an attention");
  expect(overridesComposite(kernel.call, withMatrices)).toBe(true);
  const buffers = buffersOf(kernel);
  const inputs = kernel.call.inputs.map(({ shape, dtype }, slot) =>
    mx.asType(mx.fromTypedArray(buffers[slot] ?? new Float32Array(), [...shape], dtype), "float32"),
  );
  inputs[5] = statisticsOf(inputs.slice(0, 3), given);
  buffers[5] = await inputs[5].data();
  const code = emitMatrixGradient(kernel, withMatrices, attention);
  await runKernel(target.matrixTiles.length > 0 ? code : emulated(code), kernel, buffers);
  const expected = attentionGradients(inputs, paramsOf(given));
  for (const [part, gradient] of expected.entries()) {
    const found = buffers[6 + part] ?? new Uint16Array();
    const [wanted, is] = [
      await gradient.data(),
      await mx.asType(mx.fromTypedArray(found, [found.length], "float16"), "float32").data(),
    ];
    if (!(wanted instanceof Float32Array && is instanceof Float32Array)) throw new Error("results are float32");
    // Weights, changes and results are halves.
    expect(differences(wanted, is, "float32", 2 ** -9)).toEqual([]);
  }
});

it("is for half floats, whole matrices, no mask, queries that see a key, and devices with room", () => {
  const isTaken = (given: Partial<AttentionCase>, target = matrixTarget(48)): boolean =>
    overridesComposite(kernelOf({ ...plain, isCausal: true, ...given }).call, target);
  expect(isTaken({})).toBe(true);
  expect(isTaken({ features: 128 })).toBe(true);
  expect(isTaken({ features: 48 })).toBe(false);
  expect(isTaken({ features: 160 })).toBe(false);
  expect(isTaken({ queries: 91 })).toBe(false);
  expect(isTaken({ queries: 91, isCausal: false })).toBe(true);
  expect(isTaken({}, floorTarget)).toBe(false);
  expect(isTaken({}, matrixTarget(8))).toBe(false);
  const { call } = kernelOf(plain);
  const masked = { ...call, inputs: [...call.inputs, { shape: [1, 1, 1, 90], dtype: "bool" as const }] };
  expect(overridesComposite(masked, matrixTarget(48))).toBe(false);
  const inputs = call.inputs.map(({ shape }) => ({ shape, dtype: "float32" as const }));
  expect(overridesComposite({ ...call, inputs }, matrixTarget(48))).toBe(false);
});
