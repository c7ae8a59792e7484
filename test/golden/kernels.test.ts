/** The kernels of a few computations as text, so that a change in fusion or lowering is seen in review. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { beforeAll, expect, it } from "vitest";
import { printKernel } from "../../src/ir/print.ts";
import { kernelsOf } from "../setup/planned-kernels.ts";

const x = mx.ones([4, 6]).add(0.5);
const weight = mx.ones([6, 5]).add(0.5);
const bias = mx.ones([5]).add(0.5);
const [queries, keys, values] = [0, 1, 2].map((k) => mx.ones([2, 3, 4]).add(k + 0.5));

beforeAll(() => mx.evaluate(x, weight, bias, queries, keys, values));

/** The plan of `roots`, without the labels. */
function printed(...roots: readonly mx.MLXArray[]): string {
  return kernelsOf(roots)
    .map((kernel) => printKernel(kernel).replace(` ${kernel.label}`, ""))
    .join("\n");
}

it("softmax: one loop per row with three passes", () => {
  expect(printed(mx.softmax(x, -1))).toMatchInlineSnapshot(`
    "loop
      %0 → float32[24]
      %1: float32[24]
      for i0 < 4
        for i1 < 6
          r0: float32 = max of %1[6*i0 + i1]
        for i2 < 6
          r1: float32 = sum of exp(%1[6*i0 + i2] - r0)
        for i3 < 6
          %0[6*i0 + i3] = exp(%1[6*i0 + i3] - r0) / r1"
  `);
});

it("layerNorm: the mean, the variance and the result in one kernel", () => {
  expect(printed(mx.fast.layerNorm(x))).toMatchInlineSnapshot(`
    "loop
      %0 → float32[24]
      %1: float32[24]
      c0: float32
      c1: float32
      for i0 < 4
        for i1 < 6
          r0: float32 = sum of %1[6*i0 + i1]
        for i2 < 6
          t0: float32 = %1[6*i0 + i2] - (r0 / c0)
          r1: float32 = sum of t0 * t0
        for i3 < 6
          %0[6*i0 + i3] = (%1[6*i0 + i3] - (r0 / c0)) * rsqrt((r1 / c0) + c1)"
  `);
});

it("gelu(x @ w + b): bias and activation follow the product", () => {
  expect(printed(nn.gelu(x.matmul(weight).add(bias)))).toMatchInlineSnapshot(`
    "contraction
      %0: float32[24]
      %1: float32[30]
      %2 → float32[20]
      %3: float32[5]
      c0: float32
      c1: float32
      for i0 < 4, i1 < 5
        r0: float32 = sum over i2 < 6 of
          left %0[6*i0 + i2]
          right %1[5*i2 + i1]
        t0: float32 = r0 + %3[i1]
        %2[5*i0 + i1] = (t0 * (erf(t0 / c0) + 1)) / c1"
  `);
});

it("a sum over columns", () => {
  expect(printed(x.sum(0))).toMatchInlineSnapshot(`
    "loop
      %0 → float32[6]
      %1: float32[24]
      for i0 < 6
        for i1 < 4
          r0: float32 = sum of %1[i0 + 6*i1]
        %0[i0] = r0"
  `);
});

it("attention by hand: two products and a softmax between them", () => {
  if (!queries || !keys || !values) throw new Error("attention needs three inputs");
  const scores = queries.matmul(keys.swapAxes(-1, -2)).mul(0.3);
  expect(printed(mx.softmax(scores, -1).matmul(values))).toMatchInlineSnapshot(`
    "contraction
      %0: float32[24]
      %1: float32[24]
      %2 → float32[18]
      for i0 < 2, i1 < 3, i2 < 3
        r0: float32 = sum over i3 < 4 of
          left %0[12*i0 + 4*i1 + i3]
          right %1[12*i0 + i3 + 4*i2]
        %2[9*i0 + 3*i1 + i2] = r0
    loop
      %0 → float32[18]
      %1: float32[18]
      c0: float32
      for i0 < 2, i1 < 3
        for i2 < 3
          r0: float32 = max of %1[9*i0 + 3*i1 + i2] * c0
        for i3 < 3
          r1: float32 = sum of exp((%1[9*i0 + 3*i1 + i3] * c0) - r0)
        for i4 < 3
          %0[9*i0 + 3*i1 + i4] = exp((%1[9*i0 + 3*i1 + i4] * c0) - r0) / r1
    contraction
      %0: float32[18]
      %1: float32[24]
      %2 → float32[24]
      for i0 < 2, i1 < 3, i2 < 4
        r0: float32 = sum over i3 < 3 of
          left %0[9*i0 + 3*i1 + i3]
          right %1[12*i0 + 4*i3 + i2]
        %2[12*i0 + 4*i1 + i2] = r0"
  `);
});

it("an update of plain gradient descent rides on the product that makes the gradient", () => {
  const gradient = mx.transpose(x).matmul(mx.ones([4, 5]).mul(mx.array(0.25)));
  expect(printed(weight.sub(gradient.mul(0.1)))).toMatchInlineSnapshot(`
    "contraction
      %0: float32[24]
      %1 → float32[30]
      %2: float32[30]
      c0: float32
      c1: float32
      for i0 < 6, i1 < 5
        r0: float32 = sum over i2 < 4 of
          left %0[i0 + 6*i2]
          right c0
        %1[5*i0 + i1] = %2[5*i0 + i1] - (r0 * c1)"
  `);
});
