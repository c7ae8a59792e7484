/** Attention as one kernel equals its definition, whatever the shapes, the mask and the threads. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { underRuntime } from "../setup/wasm-runtimes.ts";

/** The backend without its kernel: the definition, fused. */
class DefinitionBackend extends WasmBackend {
  override overrides(): boolean {
    return false;
  }
}

const options = (threads: number): { readonly threads: number; readonly arena: Arena } => ({
  threads,
  arena: new Arena({ maximumByteLength: 2 ** 28 }),
});
const backends = {
  reference: new ReferenceBackend(),
  definition: new DefinitionBackend(options(1)),
  one: new WasmBackend(options(1)),
  two: new WasmBackend(options(2)),
};
const runtimes = {
  reference: new Runtime(backends.reference, { fusion: true }),
  definition: new Runtime(backends.definition, { fusion: true }),
  one: new Runtime(backends.one, { fusion: true }),
  two: new Runtime(backends.two, { fusion: true }),
};

afterAll(() => Promise.all([backends.definition.pool.close(), backends.one.pool.close(), backends.two.pool.close()]));

const under = <T>(name: keyof typeof runtimes, body: () => Promise<T>): Promise<T> =>
  underRuntime(runtimes[name], body);

/** Numbers between -2 and 2, the same on every backend. */
function numbers(shape: readonly number[], seed: number): mx.MLXArray {
  const size = shape.reduce((product, length) => product * length, 1);
  let state = seed * 2654435761 + 12345;
  const data = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 30;
  });
  return mx.fromTypedArray(data, shape);
}

type MaskKind = "none" | "causal" | readonly ["bool" | "float32", readonly number[]];

interface Case {
  readonly batch: readonly number[];
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly features: number;
  readonly valueFeatures: number;
  readonly mask: MaskKind;
}

function inputsOf({ batch, heads, keyHeads, queries, keys, features, valueFeatures }: Case): mx.MLXArray[] {
  return [
    numbers([...batch, heads, queries, features], 1),
    numbers([...batch, keyHeads, keys, features], 2),
    numbers([...batch, keyHeads, keys, valueFeatures], 3),
  ];
}

function maskOf(mask: MaskKind): mx.MLXArray | "causal" | null {
  if (mask === "none") return null;
  if (mask === "causal") return mask;
  const drawn = numbers(mask[1], 4);
  return mask[0] === "bool" ? drawn.greater(-0.5) : drawn;
}

function attend(inputs: readonly mx.MLXArray[], { features, mask }: Case): mx.MLXArray {
  const [q, k, v] = inputs;
  if (!q || !k || !v) throw new Error("attention takes three inputs");
  return mx.fast.scaledDotProductAttention(q, k, v, { scale: features ** -0.5, mask: maskOf(mask) });
}

const values = (which: Case): Promise<number[]> =>
  attend(inputsOf(which), which)
    .data()
    .then((data) => Array.from(data, Number));

function expectClose(found: readonly number[], wanted: readonly number[], tolerance = 2e-6): void {
  expect(found.length).toBe(wanted.length);
  const worst = found.reduce((most, value, k) => {
    const expected = wanted[k] ?? Number.NaN;
    if (Object.is(value, expected)) return most;
    const error = Math.abs(value - expected) / Math.max(1, Math.abs(expected));
    return Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(most, error);
  }, 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}

const usual: Case = {
  batch: [2],
  heads: 4,
  keyHeads: 4,
  queries: 24,
  keys: 24,
  features: 16,
  valueFeatures: 16,
  mask: "none",
};
const cases: readonly Partial<Case>[] = [
  {},
  { mask: "causal" },
  { heads: 4, keyHeads: 2, mask: "causal" },
  { heads: 6, keyHeads: 1, batch: [1] },
  { queries: 1, keys: 1, features: 1, valueFeatures: 1 },
  { queries: 1, keys: 37, mask: "causal" },
  { queries: 67, keys: 35, features: 3, valueFeatures: 5, mask: "causal", batch: [1] },
  { queries: 35, keys: 67, features: 3, valueFeatures: 5, mask: "causal", batch: [1] },
  { queries: 130, keys: 7, features: 8, valueFeatures: 2, mask: "causal", heads: 1, keyHeads: 1 },
  { queries: 5, keys: 300, features: 9, valueFeatures: 11, heads: 2, keyHeads: 1, batch: [1] },
  { queries: 70, keys: 515, features: 8, valueFeatures: 8, heads: 1, keyHeads: 1, batch: [1], mask: "causal" },
  { queries: 5, keys: 3, mask: "causal" },
  { queries: 4, keys: 9, keyHeads: 2, features: 6, mask: ["bool", [2, 1, 4, 9]] },
  { queries: 7, keys: 10, keyHeads: 1, features: 7, valueFeatures: 3, mask: ["float32", [7, 1]] },
  { queries: 3, keys: 1030, features: 5, valueFeatures: 7, heads: 2, keyHeads: 2, batch: [1] },
  { batch: [2, 3], heads: 2, keyHeads: 1, queries: 5, keys: 6 },
  { mask: ["bool", [24, 24]] },
  { mask: ["bool", [2, 1, 1, 24]] },
  { mask: ["bool", [2, 4, 24, 1]] },
  { mask: ["bool", [1]] },
  { mask: ["float32", [2, 4, 24, 24]] },
  { mask: ["float32", [4, 1, 24]] },
  { mask: ["float32", [24, 1]] },
  { queries: 9, keys: 13, mask: ["bool", [2, 1, 9, 13]], heads: 4, keyHeads: 2 },
  { queries: 9, keys: 13, mask: ["float32", [1, 4, 9, 13]], heads: 4, keyHeads: 2 },
];

describe("attention as one kernel", () => {
  it.each(cases.map((part) => [JSON.stringify(part), { ...usual, ...part }] as const))(
    "equals its definition: %s",
    async (_, which) => {
      const found = await under("one", async () => {
        const inputs = inputsOf(which);
        const result = attend(inputs, which);
        return Array.from(await result.data(), Number);
      });
      expectClose(found, await under("reference", () => values(which)));
      expectClose(found, await under("definition", () => values(which)));
      expect(await under("two", () => values(which))).toEqual(found);
    },
  );

  it("is a single kernel that reads its inputs and writes its result", async () => {
    await under("one", async () => {
      const [q, k, v] = [1, 2, 3].map((seed) => numbers([2, 4, 64, 32], seed));
      if (!q || !k || !v) return;
      const { kernels, flops } = mx.explain(mx.fast.scaledDotProductAttention(q, k, v, { scale: 1, mask: "causal" }));
      expect(kernels.map(({ kind, label, bytes }) => ({ kind, label, bytes }))).toEqual([
        { kind: "composite", label: "scaledDotProductAttention", bytes: 4 * 2 * 4 * 64 * 32 * 4 },
      ]);
      expect(flops).toBe((2 * 4 * 64 * 64 * (2 * 32 + 2 * 32 + 16)) / 2);
    });
  });

  it("takes many items on two threads with the bits of one", async () => {
    const which: Case = { ...usual, heads: 8, keyHeads: 8, queries: 200, keys: 200, features: 32, mask: "causal" };
    expect(await under("two", () => values(which))).toEqual(await under("one", () => values(which)));
  });

  it("passes NaN and an additive mask of minus infinity on as its definition does", async () => {
    const build = async (): Promise<number[]> => {
      const [q, k, v] = [1, 2, 3].map((seed) => numbers([1, 1, 5, 4], seed));
      if (!q || !k || !v) throw new Error("attention takes three inputs");
      const mask = mx
        .where(mx.array([[0], [1], [0], [0], [0]]).greater(0), Number.NEGATIVE_INFINITY, 0)
        .asType("float32");
      const partial = mx.where(mx.tri(5).greater(0), 0, Number.NEGATIVE_INFINITY).asType("float32");
      const odd = mx.where(mx.arange(5).equal(2).reshape([5, 1]), Number.NaN, q);
      return Array.from(
        await mx
          .concatenate([
            mx.fast.scaledDotProductAttention(q, k, v, { scale: 0.5, mask }),
            mx.fast.scaledDotProductAttention(q, k, v, { scale: 0.5, mask: partial }),
            mx.fast.scaledDotProductAttention(odd, k, v, { scale: 0.5 }),
          ])
          .data(),
        Number,
      );
    };
    const wanted = await under("reference", build);
    expect(wanted.filter(Number.isNaN).length).toBeGreaterThan(0);
    expectClose(await under("one", build), wanted);
  });

  it("takes operands that are views, fused, shared and constant", async () => {
    const build = async (): Promise<number[]> => {
      const x = numbers([2, 6, 3, 4], 5);
      const turned = mx.swapAxes(x.mul(2), 1, 2);
      const result = mx.fast.scaledDotProductAttention(turned, turned, mx.ones([2, 3, 6, 4]).add(turned), { scale: 1 });
      return Array.from(await mx.swapAxes(result, 1, 2).add(x).data(), Number);
    };
    expectClose(await under("one", build), await under("reference", build));
  });

  it.each(["float16", "bfloat16", "float64"] as const)("leaves %s to the definition", async (dtype) => {
    const build = async (): Promise<number[]> => {
      const [q, k, v] = [1, 2, 3].map((seed) => numbers([1, 2, 5, 4], seed).asType(dtype));
      if (!q || !k || !v) throw new Error("attention takes three inputs");
      const result = mx.fast.scaledDotProductAttention(q, k, v, { scale: 0.5, mask: "causal" });
      expect(result.dtype).toBe(dtype);
      return Array.from(await result.asType("float32").data(), Number);
    };
    expectClose(await under("one", build), await under("reference", build), dtype === "float64" ? 1e-6 : 2e-2);
  });

  it("gives nothing for no queries", async () => {
    const shape = await under("one", async () => {
      const k = numbers([1, 2, 5, 4], 1);
      const result = mx.fast.scaledDotProductAttention(mx.zeros([1, 2, 0, 4]), k, k, { scale: 1 });
      await mx.evaluate(result);
      return result.shape;
    });
    expect(shape).toEqual([1, 2, 0, 4]);
  });

  it("leaves the gradient of a mask, which is as large as the scores, to its definition", async () => {
    const which: Case = { ...usual, queries: 7, keys: 9 };
    const build = async (): Promise<number[]> => {
      const [q, k, v] = inputsOf(which);
      if (!q || !k || !v) throw new Error("attention takes three inputs");
      const loss = (mask: mx.MLXArray): mx.MLXArray =>
        mx.fast.scaledDotProductAttention(q, k, v, { scale: 0.3, mask }).square().sum();
      return Array.from(
        await mx
          .grad(loss)(numbers([7, 9], 4))
          .data(),
        Number,
      );
    };
    expectClose(await under("one", build), await under("reference", build), 1e-5);
  });
});

/** The gradients of queries, keys and values of the sum of squares, by whoever computes. */
async function gradients(which: Case, dtype: "float32" | "float64" = "float32"): Promise<number[]> {
  const [q, k, v] = inputsOf(which).map((input) => input.asType(dtype));
  if (!q || !k || !v) throw new Error("attention takes three inputs");
  const loss = (a: mx.MLXArray, b: mx.MLXArray, c: mx.MLXArray): mx.MLXArray => attend([a, b, c], which).square().sum();
  const parts = await Promise.all(
    mx
      .grad(loss, { argnums: [0, 1, 2] })(q, k, v)
      .map((part) => part.data()),
  );
  return parts.flatMap((part) => Array.from(part, Number));
}

describe("the gradient of attention as one kernel", () => {
  const long: Partial<Case> = { queries: 120, keys: 800, heads: 2, keyHeads: 1, batch: [1], mask: "causal" };
  it.each([...cases, long].map((part) => [JSON.stringify(part), { ...usual, ...part }] as const))(
    "equals that of its definition in float64: %s",
    async (_, which) => {
      const found = await under("one", () => gradients(which));
      expectClose(found, await under("definition", () => gradients(which, "float64")), 1e-5);
      expect(await under("two", () => gradients(which))).toEqual(found);
    },
  );

  it("is a single kernel beside attention's own, and stores no scores", async () => {
    await under("one", async () => {
      const [q, k, v] = [1, 2, 3].map((seed) => numbers([2, 4, 64, 32], seed));
      if (!q || !k || !v) return;
      const loss = (...[a, b, c]: readonly mx.MLXArray[]): mx.MLXArray =>
        attend([a ?? q, b ?? k, c ?? v], { ...usual, features: 32, mask: "causal" }).sum();
      const { kernels } = mx.explain(mx.grad(loss, { argnums: [0, 1, 2] })(q, k, v));
      const large = kernels.filter(({ kind }) => kind === "composite");
      expect(large.map(({ label, bytes }) => ({ label, bytes }))).toEqual([
        { label: "scaledDotProductAttention", bytes: 2 * 4 * 64 * (4 * 32 + 2) * 4 },
        { label: "attentionGradient", bytes: 2 * 4 * 64 * (8 * 32 + 2) * 4 },
      ]);
    });
  });

  it("is right whichever result of attention has been computed before", async () => {
    const each = (order: readonly number[]) => async (): Promise<unknown> => {
      const inputs = [1, 2, 3, 4].map((seed) => numbers([2, 2, 6, 4], seed));
      const loss = (...[q, k, v, weight]: readonly mx.MLXArray[]): mx.MLXArray =>
        q && k && v && weight
          ? mx.fast.scaledDotProductAttention(q, k, v, { scale: 1 }).mul(weight).square().sum()
          : mx.zeros([]);
      const slopes = mx.grad(loss, { argnums: [0, 1, 2, 3] })(...inputs);
      const found: unknown[] = [];
      for (const k of order) found[k] = await slopes[k]?.tolist();
      return found;
    };
    const together = await under("one", each([0, 1, 2, 3]));
    expect(await under("one", each([3, 2, 1, 0]))).toEqual(together);
    expect(await under("one", each([2, 3, 0, 1]))).toEqual(together);
  });

  it("takes memory in proportion to the tokens", async () => {
    const peak = (tokens: number): Promise<number> =>
      under("one", async () => {
        const which: Case = { ...usual, batch: [1], queries: tokens, keys: tokens, features: 32, valueFeatures: 32 };
        const before = backends.one.memory().active;
        mx.memory.resetPeak();
        await gradients(which);
        return backends.one.memory().peak - before;
      });
    const short = await peak(512);
    expect(await peak(1024)).toBeLessThan(2.2 * short);
  });
});
