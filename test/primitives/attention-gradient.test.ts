/** The gradient of attention in parts gives what the gradient of its definition gives. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { attentionGradients } from "../../src/primitives/attention-gradient.ts";

interface Case {
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly isCausal?: boolean;
  readonly mask?: mx.MLXArray;
}

async function check({ heads, keyHeads, queries, keys, isCausal = false, mask }: Case): Promise<void> {
  const [features, valueFeatures, scale] = [6, 5, 0.4];
  const shapes = [
    [2, heads, queries, features],
    [2, keyHeads, keys, features],
    [2, keyHeads, keys, valueFeatures],
    [2, heads, queries, valueFeatures],
  ];
  const drawn = shapes.map((shape, k) => mx.random.normal(shape, { key: mx.random.key(k) }));
  const [q, k, v, cotangent] = drawn;
  if (!q || !k || !v || !cotangent) throw new Error("there are four arrays");
  const attend = (...[a, b, c]: readonly mx.MLXArray[]): mx.MLXArray => {
    if (!a || !b || !c) throw new Error("attention has three inputs");
    return mx.fast.scaledDotProductAttention(a, b, c, { scale, mask: isCausal ? "causal" : (mask ?? null) });
  };
  // In float64 the gradient is that of the definition, whatever kernels there are.
  const [exact, slope] = [[q, k, v].map((x) => x.asType("float64")), cotangent.asType("float64")];
  const [, expected] = mx.vjp(attend, exact, [slope]);
  const parts = attentionGradients(cotangent, mask ? [q, k, v, mask] : [q, k, v], { scale, isCausal });
  // Rounding errors of a sum grow with the root of the number of its terms.
  const allowed = 3 * Math.sqrt(Math.max(queries, keys)) * 2 ** -24;
  for (const [place, part] of parts.entries()) {
    const given = expected[place];
    if (!given) throw new Error("every input has a gradient");
    expect(part.shape).toEqual(given.shape);
    expect(await part.subtract(given).abs().max().item()).toBeLessThan(allowed);
  }
}

const plain: Case = { heads: 2, keyHeads: 2, queries: 5, keys: 7 };

describe("the gradient of attention in parts is that of its definition", () => {
  it("without a mask, and with heads that share keys", async () => {
    await check(plain);
    await check({ ...plain, heads: 6 });
  });

  it("in time, also where some queries see nothing", async () => {
    await check({ ...plain, isCausal: true });
    await check({ ...plain, queries: 9, isCausal: true });
  });

  it("with truths, among them a query that sees nothing, and with numbers that are added", async () => {
    const place = mx.arange(35).reshape([5, 7]);
    await check({ ...plain, mask: place.greater(8) });
    await check({ ...plain, mask: place.multiply(0.1) });
  });

  it("in blocks of queries and keys where there are many scores", async () => {
    const many: Case = { heads: 2, keyHeads: 1, queries: 2100, keys: 2130 };
    await check({ ...many, isCausal: true });
    await check({ ...many, mask: mx.arange(2130).multiply(0.001) });
  });
});
