/** The gradient of attention by blocks of queries gives what the gradient of its definition gives. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { apply } from "../../src/graph/primitive.ts";
import { attentionGradients } from "../../src/primitives/attention-gradient.ts";
import { attentionRow } from "../../src/primitives/attention-row.ts";

interface Case {
  readonly examples?: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly isCausal?: boolean;
  readonly mask?: mx.MLXArray;
}

async function check(
  { examples = 2, heads, keyHeads, queries, keys, isCausal = false, mask }: Case,
  most = 2 ** 20,
): Promise<void> {
  const [features, valueFeatures, scale] = [6, 5, 0.4];
  const shapes = [
    [examples, heads, queries, features],
    [examples, keyHeads, keys, features],
    [examples, keyHeads, keys, valueFeatures],
    [examples, heads, queries, valueFeatures],
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
  const masks = mask ? [mask] : [];
  const statistics = apply(attentionRow, [q, k, v, ...masks], { scale, isCausal, part: 1 });
  const inputs = [q, k, v, cotangent, attend(q, k, v), statistics, ...masks];
  const parts = attentionGradients(inputs, { scale, isCausal }, most);
  // Rounding errors of a sum grow with the root of the number of its terms, and with what is summed.
  const terms = Math.max((queries * heads) / keyHeads, keys);
  for (const [place, part] of parts.entries()) {
    const given = expected[place];
    if (!given) throw new Error("every input has a gradient");
    expect(part.shape).toEqual(given.shape);
    const greatest = Math.max(1, Number(await given.abs().max().item()));
    expect(await part.subtract(given).abs().max().item()).toBeLessThan(3 * Math.sqrt(terms) * greatest * 2 ** -24);
  }
}

const plain: Case = { heads: 2, keyHeads: 2, queries: 5, keys: 7 };

describe("the gradient of attention by blocks is that of its definition", () => {
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

  it("in blocks of queries where there are many scores, the last one shorter, also of one query", async () => {
    const many: Case = { heads: 4, keyHeads: 2, queries: 29, keys: 34 };
    for (const most of [4000, 1500, 300, 1]) {
      await check({ ...many, isCausal: true }, most);
      await check({ ...many, queries: 34, isCausal: true }, most);
      await check({ ...many, queries: 39, isCausal: true }, most);
      await check(many, most);
      await check({ ...many, mask: mx.arange(34).multiply(0.01) }, most);
      await check(
        {
          ...many,
          mask: mx
            .arange(29 * 34)
            .reshape([29, 34])
            .greater(500),
        },
        most,
      );
    }
  });
});

describe("blocks of examples", () => {
  it("of which the last has fewer, are taken where blocks of queries would have few", async () => {
    const many: Case = { examples: 5, heads: 4, keyHeads: 2, queries: 29, keys: 34 };
    const mask = mx.arange(5 * 29 * 34).reshape([5, 1, 29, 34]);
    for (const most of [8000, 3000]) {
      await check({ ...many, isCausal: true }, most);
      await check({ ...many, mask: mask.remainder(3).greater(0) }, most);
      await check(
        {
          ...many,
          mask: mx
            .arange(29 * 34)
            .multiply(0.001)
            .reshape([1, 1, 29, 34]),
        },
        most,
      );
    }
  });
});

describe("blocks of queries", () => {
  const [tokens, scores] = [64, 2 * 64 * 64];
  const statistics = mx.random.uniform([1, 2, tokens, 2], { low: 1, high: 2 });
  const inputs = [0, 1, 2, 3, 4]
    .map((k) => mx.random.normal([1, 2, tokens, 8], { key: mx.random.key(k) }))
    .concat(statistics);

  it("share their kernels, whatever their number", () => {
    const distinct = (blocks: number): number => {
      const gradients = attentionGradients(inputs, { scale: 0.3, isCausal: true }, scores / blocks);
      return new Set(mx.explain(...gradients).kernels.map((kernel) => JSON.stringify(kernel))).size;
    };
    expect(distinct(16)).toBe(distinct(32));
  });

  it("give their scores back before the next one begins", async () => {
    await mx.evaluate(inputs);
    const blocks = 16;
    const gradients = attentionGradients(inputs, { scale: 0.3, isCausal: true }, scores / blocks);
    const kernels = await mx.profile(...gradients);
    const held = Math.max(...kernels.map(({ heldBytes }) => heldBytes));
    const own = inputs.reduce((sum, { nbytes }) => sum + nbytes, 0);
    // Inputs, results, what keys and values have got so far, once more while it grows; and scores, weights, slopes, changes.
    expect(held).toBeLessThan(own + 3 * own + (4 * scores * 4) / blocks);
  });

  it("have no more than half of all scores, but where these are few", () => {
    // What the largest kernel moves, in arrays of all scores: it reads two of its block and writes two others.
    const moved = (length: number): number => {
      const inputs = [8, 8, 8, 8, 8, 2].map((features) => mx.zeros([1, 8, length, features]));
      const gradients = attentionGradients(inputs, { scale: 0.3, isCausal: false });
      const { kernels } = mx.explain(...gradients);
      return Math.max(...kernels.map(({ bytes }) => bytes)) / (8 * length * length * 4);
    };
    expect(moved(512)).toBe(4);
    expect(moved(1024)).toBe(2);
  });
});
