/** The rows of `npm run bench -- cpu`: what is computed, in which unit it is reported, and what of each peer's speed is wanted. */

/** The name of a row, as `--only` takes it. Those that rows.ts has too are the same work. */
export type CpuRowName =
  | "matmul-512"
  | "matmul-1024"
  | "matmul-2048"
  | "matmul-1001"
  | "matmul-skinny"
  | "matmul-left-transposed"
  | "matmul-right-transposed"
  | "matmul-batched"
  | "linear-gelu"
  | "conv"
  | "conv-1x1"
  | "conv-depthwise"
  | "conv-stride"
  | "conv-stem"
  | "copy"
  | "softmax"
  | "layer-norm"
  | "rms-norm"
  | "sum"
  | "sum-rows"
  | "sum-columns"
  | "chain"
  | "transcendental"
  | "attention-512"
  | "attention-2048"
  | "attention-512-gradient"
  | "attention-2048-gradient"
  | "mlp-step"
  | "gpt-gradient"
  | "gpt-step"
  | "matvec4-4096"
  | "matvec4-11008";

/** What is measured against. */
export type CpuPeerName =
  | "OpenBLAS"
  | "OpenBLAS, 512 bits"
  | "C"
  | "llama.cpp"
  | "ort-node"
  | "PyTorch"
  | "PyTorch compiled"
  | "jax-js";

/** The least of a peer's speed that is wanted, on Node 20 and on Node 24. */
export interface CpuGoal {
  readonly peer: CpuPeerName;
  readonly node20?: number;
  readonly node24?: number;
}

/** A row. */
export interface CpuRow {
  readonly name: CpuRowName;
  readonly title: string;
  readonly unit: "ms" | "GFLOP/s" | "GB/s";
  /** Floating-point operations or bytes of one run, for rates. */
  readonly work?: number;
  readonly peers: readonly CpuPeerName[];
  readonly goals: readonly CpuGoal[];
}

const blas: readonly CpuPeerName[] = ["OpenBLAS", "OpenBLAS, 512 bits", "ort-node", "PyTorch"];
const besideBlas: readonly CpuGoal[] = [{ peer: "OpenBLAS", node20: 0.45, node24: 0.9 }];
const besideOnnx = (share: number): readonly CpuGoal[] => [{ peer: "ort-node", node24: share }];
const besideC = (share: number): readonly CpuGoal[] => [{ peer: "C", node20: share, node24: share }];
const trained: readonly CpuPeerName[] = ["PyTorch", "PyTorch compiled", "jax-js"];
const besideTraining: readonly CpuGoal[] = [
  { peer: "jax-js", node20: 5, node24: 5 },
  { peer: "PyTorch", node24: 0.7 },
  { peer: "PyTorch compiled", node24: 0.7 },
];

function product(name: CpuRowName, title: string, flops: number, isPlain: boolean): CpuRow {
  const goals = isPlain ? besideBlas : besideOnnx(1);
  return { name, title, unit: "GFLOP/s", work: flops, peers: blas, goals };
}

function convolution(name: CpuRowName, title: string, flops: number): CpuRow {
  const peers: readonly CpuPeerName[] = ["ort-node", "PyTorch", "jax-js"];
  const goals = [...besideOnnx(0.8), { peer: "jax-js", node20: 5, node24: 5 } as const];
  return { name, title, unit: "GFLOP/s", work: flops, peers, goals };
}

const overLoops = (name: CpuRowName, title: string, goals: readonly CpuGoal[]): CpuRow => ({
  name,
  title,
  unit: "ms",
  peers: ["C", "ort-node", "PyTorch"],
  goals,
});

/** Every row, in the order they are printed. */
export const cpuRows: readonly CpuRow[] = [
  product("matmul-512", "matmul 512³", 2 * 512 ** 3, true),
  product("matmul-1024", "matmul 1024³", 2 * 1024 ** 3, true),
  product("matmul-2048", "matmul 2048³", 2 * 2048 ** 3, true),
  product("matmul-1001", "matmul 1001³", 2 * 1001 ** 3, true),
  product("matmul-skinny", "matmul [32, 4096] × [4096, 4096]", 2 * 32 * 4096 ** 2, true),
  product("matmul-left-transposed", "matmul 1024³, left transposed", 2 * 1024 ** 3, false),
  product("matmul-right-transposed", "matmul 1024³, right transposed", 2 * 1024 ** 3, false),
  product("matmul-batched", "matmul [16, 256, 256]", 2 * 16 * 256 ** 3, false),
  {
    ...product("linear-gelu", "matmul 1024³ with bias and GELU", 2 * 1024 ** 3, false),
    peers: ["ort-node", "PyTorch"],
  },
  convolution("conv", "conv 3×3 64→64 on [8, 56, 56]", 2 * 8 * 56 * 56 * 64 * 64 * 9),
  convolution("conv-1x1", "conv 1×1 64→256 on [8, 28, 28]", 2 * 8 * 28 * 28 * 64 * 256),
  convolution("conv-depthwise", "conv depthwise 3×3 of 64 on [8, 56, 56]", 2 * 8 * 56 * 56 * 64 * 9),
  convolution("conv-stride", "conv 3×3 64→128, stride 2, on [8, 56, 56]", 2 * 8 * 28 * 28 * 64 * 128 * 9),
  convolution("conv-stem", "conv 7×7 3→64, stride 2, on [2, 224, 224]", 2 * 2 * 112 * 112 * 3 * 64 * 49),
  overLoops("copy", "copy of 16M (ours: x + 1)", []),
  overLoops("softmax", "softmax [4096, 4096]", besideOnnx(1)),
  overLoops("layer-norm", "layerNorm [4096, 4096]", besideOnnx(1)),
  overLoops("rms-norm", "rmsNorm [4096, 4096]", besideOnnx(1)),
  overLoops("sum", "sum of 16M", besideOnnx(1)),
  overLoops("sum-rows", "sum of [4096, 4096] over axis 1", besideOnnx(1)),
  overLoops("sum-columns", "sum of [4096, 4096] over axis 0", besideOnnx(1)),
  overLoops("chain", "chain of 10 over 16M", besideC(0.8)),
  overLoops("transcendental", "tanh, exp, log, sin, sqrt over 16M", besideC(0.6)),
  attention("attention-512", 512),
  attention("attention-2048", 2048),
  attention("attention-512-gradient", 512),
  attention("attention-2048-gradient", 2048),
  {
    name: "mlp-step",
    title: "MLP 784-512-256-10 Adam step, batch 256",
    unit: "ms",
    peers: trained,
    goals: besideTraining,
  },
  {
    name: "gpt-gradient",
    title: "GPT 4 × 256, 128 tokens: value and gradient",
    unit: "ms",
    peers: trained,
    goals: besideTraining,
  },
  {
    name: "gpt-step",
    title: "GPT 4 × 256, 128 tokens: AdamW step",
    unit: "ms",
    peers: ["PyTorch", "PyTorch compiled"],
    goals: besideTraining.slice(1),
  },
  matrixVector("matvec4-4096", 4096),
  matrixVector("matvec4-11008", 11008),
];

function attention(name: CpuRowName, tokens: number): CpuRow {
  const hasGradient = name.endsWith("gradient");
  return {
    name,
    title: `attention 8 × ${tokens} × 64, causal${hasGradient ? ", value and gradient" : ""}`,
    unit: "ms",
    peers: hasGradient ? ["PyTorch"] : ["ort-node", "PyTorch"],
    goals: hasGradient ? [] : besideOnnx(0.8),
  };
}

/** Packed weights count, not their scales: llama.cpp has a float16 for 32 weights, ours two float32 for 64. */
function matrixVector(name: CpuRowName, outputs: number): CpuRow {
  return {
    name,
    title: `4-bit matrix × vector, [${outputs}, 4096], groups of 64`,
    unit: "GB/s",
    work: (outputs * 4096) / 2,
    peers: ["C", "llama.cpp"],
    goals: [{ peer: "C", node24: 1 }],
  };
}
