/** The lines of the GPU's benchmark: what is computed, and how much arithmetic or memory that is. */
import * as mx from "mlx-ts";
import type { Prepared } from "./library.ts";
import { gptStep, library } from "./library-mlx.ts";

/** One line. */
export interface GpuRow {
  readonly name: string;
  /** Sets it up; the result runs it once. */
  prepare(): Promise<() => Promise<void>>;
  readonly flops?: number;
  /** Bytes read and written. */
  readonly bytes?: number;
}

const gibibyte = 2 ** 28; // float32 elements

async function inputs(...arrays: readonly mx.MLXArray[]): Promise<void> {
  await mx.evaluate(...arrays);
  await mx.synchronize();
}

function computing(compute: () => mx.MLXArray): () => Promise<void> {
  return async () => {
    const result = compute();
    await mx.evaluate(result);
    result.dispose();
  };
}

function product(size: number, dtype: mx.Dtype = "float32", transposed = ""): GpuRow {
  const kind = dtype === "float32" ? "f32" : "f16";
  return {
    name: `matmul ${size}³ ${kind}${transposed && ` ${transposed}`}`,
    flops: 2 * size ** 3,
    async prepare() {
      const [a, b] = [mx.random.normal([size, size]).asType(dtype), mx.random.normal([size, size]).asType(dtype)];
      await inputs(a, b);
      return computing(() => (transposed === "A" ? a.T : a).matmul(transposed === "B" ? b.T : b));
    },
  };
}

function over(name: string, shape: readonly number[], bytes: number, f: (x: mx.MLXArray) => mx.MLXArray): GpuRow {
  return {
    name,
    bytes,
    async prepare() {
      const x = mx.random.uniform(shape);
      await inputs(x);
      const compiled = mx.compile(f);
      return computing(() => compiled(x));
    },
  };
}

function chain(x: mx.MLXArray): mx.MLXArray {
  let y = x;
  for (let k = 0; k < 5; k++) y = y.mul(1.01).add(0.5);
  return y;
}

function fromLibrary(name: string, row: (() => Promise<Prepared>) | string): GpuRow {
  return {
    name,
    async prepare() {
      if (typeof row === "string") throw new Error(row);
      return (await row()).run;
    },
  };
}

function attention(dtype: mx.Dtype, withGradient: boolean): GpuRow {
  const [heads, tokens, width] = [16, 2048, 64];
  const flops = (2 * 2 * heads * tokens * tokens * width) / 2;
  return {
    name: `attention 16 × 2048 × 64 causal ${dtype}${withGradient ? ", value and gradient" : ""}`,
    flops: withGradient ? flops * 3.5 : flops,
    async prepare() {
      const [q, k, v] = [0, 1, 2].map(() => mx.random.normal([1, heads, tokens, width]).asType(dtype));
      if (!q || !k || !v) throw new Error("three arrays are needed");
      await inputs(q, k, v);
      const attend = (a: mx.MLXArray, b: mx.MLXArray, c: mx.MLXArray): mx.MLXArray =>
        mx.fast.scaledDotProductAttention(a, b, c, { scale: width ** -0.5, mask: "causal" });
      if (!withGradient) {
        const compiled = mx.compile(attend);
        return computing(() => compiled(q, k, v));
      }
      const slope = mx.compile((a: mx.MLXArray, b: mx.MLXArray, c: mx.MLXArray) =>
        mx.valueAndGrad((x: mx.MLXArray, y: mx.MLXArray, z: mx.MLXArray) => attend(x, y, z).sum(), {
          argnums: [0, 1, 2],
        })(a, b, c),
      );
      return async () => {
        const [value, gradients] = slope(q, k, v);
        await mx.evaluate(value, gradients);
        for (const result of [value, ...gradients]) result.dispose();
      };
    },
  };
}

/** Every line, in the order they are printed. */
export const gpuRows: readonly GpuRow[] = [
  over("copy 1 GiB (x + 1)", [gibibyte], 2 * 4 * gibibyte, (x) => x.add(1)),
  over("chain of 10 over 1 GiB", [gibibyte], 2 * 4 * gibibyte, chain),
  over("sum of 1 GiB", [gibibyte], 4 * gibibyte, (x) => x.sum()),
  over("sum over axis 0 of 1 GiB", [16384, 16384], 4 * gibibyte, (x) => x.sum(0)),
  over("sum over axis 1 of 1 GiB", [16384, 16384], 4 * gibibyte, (x) => x.sum(1)),
  over("softmax of 1 GiB", [65536, 4096], 2 * 4 * gibibyte, (x) => mx.softmax(x, -1)),
  over("rmsNorm of 1 GiB", [65536, 4096], 2 * 4 * gibibyte, (x) => mx.fast.rmsNorm(x, mx.ones([4096]), 1e-5)),
  over("sum of 16M", [4096, 4096], 4 * 2 ** 24, (x) => x.sum()),
  over("softmax [4096, 4096]", [4096, 4096], 2 * 4 * 2 ** 24, (x) => mx.softmax(x, -1)),
  product(1024),
  product(2048),
  product(4096),
  product(8192),
  product(4001),
  product(4096, "float32", "A"),
  product(4096, "float32", "B"),
  {
    name: "matmul 64 × 512³ f32, batched",
    flops: 64 * 2 * 512 ** 3,
    async prepare() {
      const [a, b] = [mx.random.normal([64, 512, 512]), mx.random.normal([64, 512, 512])];
      await inputs(a, b);
      return computing(() => a.matmul(b));
    },
  },
  product(4096, "float16"),
  product(8192, "float16"),
  fromLibrary("conv 3×3 64→64 on [8, 56, 56]", library.rows.conv),
  attention("float32", false),
  attention("float16", false),
  attention("float32", true),
  attention("float16", true),
  fromLibrary("MLP 784-512-256-10, batch 256, Adam step", library.rows["mlp-step"]),
  fromLibrary("GPT 4 × 256, 128 tokens: forward", library.rows.gpt),
  fromLibrary("GPT 4 × 256, 128 tokens: value and gradient", library.rows["gpt-gradient"]),
  fromLibrary("GPT 4 × 256, 128 tokens: AdamW step", gptStep),
];
