/** The rows of the comparison: what is computed, at which sizes, and in which unit it is reported. */

/** The name of a row, as `--only` takes it. */
export type RowName =
  | "matmul-1024"
  | "matmul-1001"
  | "chain"
  | "transcendental"
  | "softmax"
  | "sum"
  | "conv"
  | "mlp"
  | "mlp-step"
  | "gpt"
  | "gpt-gradient"
  | "eager"
  | "compiled-call";

/** A row: all libraries compute it with the same sizes. */
export interface Row {
  readonly name: RowName;
  readonly title: string;
  /** Milliseconds and microseconds are better when low, GFLOP/s when high. */
  readonly unit: "ms" | "µs" | "GFLOP/s";
  /** Floating-point operations of one run, for rows in GFLOP/s. */
  readonly flops?: number;
}

/** Every row, in the order they are printed. */
export const rows: readonly Row[] = [
  { name: "matmul-1024", title: "matmul 1024³", unit: "GFLOP/s", flops: 2 * 1024 ** 3 },
  { name: "matmul-1001", title: "matmul 1001³", unit: "GFLOP/s", flops: 2 * 1001 ** 3 },
  { name: "chain", title: "chain of 10 over 16M", unit: "ms" },
  { name: "transcendental", title: "tanh, exp, log, sin, sqrt over 16M", unit: "ms" },
  { name: "softmax", title: "softmax [4096, 4096]", unit: "ms" },
  { name: "sum", title: "sum of 16M", unit: "ms" },
  { name: "conv", title: "conv 3×3 64→64 on [8, 56, 56]", unit: "ms" },
  { name: "mlp", title: "MLP 784-512-256-10 forward, batch 256", unit: "ms" },
  { name: "mlp-step", title: "MLP Adam step, batch 256", unit: "ms" },
  { name: "gpt", title: "GPT 4 × 256, 128 tokens: forward", unit: "ms" },
  { name: "gpt-gradient", title: "GPT 4 × 256, 128 tokens: value and gradient", unit: "ms" },
  { name: "eager", title: "eager add of 256, per operation", unit: "µs" },
  { name: "compiled-call", title: "compiled call of 100 operations on 256", unit: "µs" },
];

/** Elements of the rows over 16M. */
export const manyCount: number = 4096 * 4096;

/** Widths of the MLP's layers. */
export const mlpWidths: readonly number[] = [784, 512, 256, 10];
/** Examples in the MLP's batch. */
export const mlpBatch = 256;

/** The GPT: pre-normalized blocks on embedded tokens, causal attention, a head onto the vocabulary. */
export const gpt = { layers: 4, width: 256, heads: 4, tokens: 128, vocabulary: 1024 } as const;

/** Additions that one run of the eager row makes, each awaited before the next. */
export const eagerCount = 100;

/** Reproducible numbers between -0.5 and 0.5, scaled; the same in every library. */
export function numbers(count: number, scale = 1, seed = 1): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  let state = (seed * 2654435761) >>> 0;
  for (let k = 0; k < count; k++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[k] = (state / 2 ** 32 - 0.5) * scale;
  }
  return values;
}

/** Rows of a one-hot matrix, flat: row `r` has its one in column `7 r` modulo the number of columns. */
export function oneHotNumbers(rowCount: number, columnCount: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(rowCount * columnCount);
  for (let row = 0; row < rowCount; row++) values[row * columnCount + ((row * 7) % columnCount)] = 1;
  return values;
}
