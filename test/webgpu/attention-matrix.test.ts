/**
 * Attention of half floats by matrix operations against its definition, with these operations replaced where the driver has none:
 * lengths that fill no block, features that pass in two parts, grouped heads, queries that see no key, scores that grow so much
 * that weights are made anew.
 */
import * as mx from "mlx-ts";
import { expect, it, vi } from "vitest";
import { attentionOf } from "../../src/backends/webgpu/attention-call.ts";
import { emitMatrixAttention, isForMatrices } from "../../src/backends/webgpu/attention-matrix.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { matrixTarget } from "../setup/gpu-target.ts";
import type { AttentionCase } from "./attention-kernels.ts";
import { buffersOf, kernelOfCall, logarithmsOf, paramsOf, statisticsOf, statisticsType } from "./attention-kernels.ts";
import { differences } from "./compare-kernel.ts";
import { emulated } from "./emulated-matrices.ts";
import { runKernel } from "./run-kernel.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 240_000 });

const withMatrices = matrixTarget(48);

interface Case extends AttentionCase {
  readonly valueFeatures: number;
  /** Keys from this one on are so many times as large. */
  readonly grows?: { readonly from: number; readonly times: number };
}

const plain: Case = { leading: [1, 2], keyHeads: 2, queries: 70, keys: 90, features: 32, valueFeatures: 32 };

it.for([
  ["of lengths that fill no block, features in two parts", { ...plain, leading: [2], features: 80, valueFeatures: 64 }],
  [
    "of heads that share keys, in time, with more keys than queries",
    { ...plain, leading: [2, 4], isCausal: true, queries: 40, keys: 50 },
  ],
  ["of queries that see no key", { ...plain, isCausal: true, queries: 70, keys: 40 }],
  ["of scores that grow beyond halves", { ...plain, features: 16, grows: { from: 40, times: 60 } }],
  ["of scores that grow in time", { ...plain, isCausal: true, queries: 90, grows: { from: 33, times: 90 } }],
] satisfies readonly (readonly [string, Case])[])("%s", async ([, given], context) => {
  const { target } = await testDevice();
  context.skip(!target.hasF16, "the driver has no 16-bit floats");
  context.skip(!target.subgroups, "the driver has no subgroups");
  const { leading, keyHeads, queries, keys, features, valueFeatures, grows } = given;
  const keyLeading = [...leading.slice(0, -1), keyHeads];
  const shapes = [
    [...leading, queries, features],
    [...keyLeading, keys, features],
    [...keyLeading, keys, valueFeatures],
  ];
  const inputs = shapes.map((shape) => ({ shape, dtype: "float16" as const }));
  const output = { shape: [...leading, queries, valueFeatures], dtype: "float16" as const };
  const call = { name: "scaledDotProductAttention", inputs, output, params: paramsOf(given) };
  const kernel = kernelOfCall(call, [statisticsType(given)]);
  const attention = attentionOf(kernel.call);
  if (!attention) throw new Error("the call is an attention");
  expect(isForMatrices(attention, kernel.call, withMatrices)).toBe(true);

  const buffers = buffersOf(kernel);
  const [q, drawn, v] = inputs.map(({ shape, dtype }, slot) =>
    mx.fromTypedArray(buffers[slot] ?? new Uint16Array(), [...shape], dtype),
  );
  if (!q || !drawn || !v) throw new Error("there are three inputs");
  const factors = mx.where(mx.arange(keys).less(grows?.from ?? keys), 1, grows?.times ?? 1);
  const k = drawn.mul(factors.reshape([keys, 1]).asType("float16"));
  // Rounded to halves before anything else is computed of them.
  await mx.evaluate(k);
  buffers[1] = await mx.view(k, "uint16").data();

  const code = emitMatrixAttention(kernel, withMatrices, attention);
  await runKernel(target.matrixTiles.length > 0 ? code : emulated(code), kernel, buffers);
  const found = buffers[3] ?? new Uint16Array();
  const actual = await mx.asType(mx.fromTypedArray(found, [found.length], "float16"), "float32").data();
  const [queries32, keys32, values32] = [mx.asType(q, "float32"), mx.asType(k, "float32"), mx.asType(v, "float32")];
  const expected = await mx.fast
    .scaledDotProductAttention(queries32, keys32, values32, {
      scale: features ** -0.5,
      mask: given.isCausal ? "causal" : null,
    })
    .data();
  if (!(expected instanceof Float32Array && actual instanceof Float32Array)) throw new Error("results are float32");
  // Weights and results are halves.
  expect(differences(expected, actual, "float32", 2 ** -9)).toEqual([]);
  const statistics = await statisticsOf([queries32, keys32, values32], given).data();
  const logarithms = logarithmsOf(buffers[4] ?? new Float32Array());
  expect(differences(logarithmsOf(statistics), logarithms, "float32", 2e-6)).toEqual([]);
});
