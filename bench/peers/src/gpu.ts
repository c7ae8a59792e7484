/**
 * The GPU's lines as another library computes them through Dawn: `tsx gpu.ts jax` or `tsx gpu.ts tfjs`, and words that the names
 * of lines contain. Medians of trains of runs, each train waited for, as `bench/src/gpu.ts` measures ours.
 */
import type { Library, Prepared } from "../../src/library.ts";

const [peer = "", ...words] = process.argv.slice(2);

/** Dawn as a page sees WebGPU: both libraries look for it in `navigator` and for its constants everywhere. */
async function installGpu(): Promise<void> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(["enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis"]);
  if (typeof navigator === "undefined")
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
}

/** The library, computing on the GPU, and its product of square matrices. */
interface GpuPeer {
  readonly library: Library;
  product(size: number): Promise<Prepared>;
  /** Waits until the GPU has done all work so far. */
  synchronize(): Promise<void>;
}

await installGpu();
process.env.BENCH_DEVICE = "gpu";
const { library, product, synchronize }: GpuPeer = await (peer === "jax" ? import("./jax.ts") : import("./tfjs.ts"));
const { rows } = library;
const lines: readonly (readonly [string, (() => Promise<Prepared>) | string])[] = [
  ["matmul 1024³ f32", rows["matmul-1024"]],
  ["matmul 4096³ f32", () => product(4096)],
  ["sum of 16M", rows.sum],
  ["softmax [4096, 4096]", rows.softmax],
  ["conv 3×3 64→64 on [8, 56, 56]", rows.conv],
  ["MLP 784-512-256-10, batch 256, Adam step", rows["mlp-step"]],
  ["GPT 4 × 256, 128 tokens: forward", rows.gpt],
  ["GPT 4 × 256, 128 tokens: value and gradient", rows["gpt-gradient"]],
];
for (const [name, prepare] of lines) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  const text = await measured(prepare).catch((error: unknown) => `failed: ${String(error).slice(0, 100)}`);
  console.log(`${peer}: ${name.padEnd(44)} ${text}`);
}
process.exit(0);

async function measured(prepare: (() => Promise<Prepared>) | string): Promise<string> {
  if (typeof prepare === "string") return prepare;
  const { run } = await prepare();
  for (let k = 0; k < 3; k++) await run();
  await synchronize();
  const started = performance.now();
  await run();
  await synchronize();
  const length = Math.max(2, Math.min(50, Math.ceil(100 / (performance.now() - started))));
  const times: number[] = [];
  for (let k = 0; k < 5; k++) {
    const start = performance.now();
    for (let j = 0; j < length; j++) await run();
    await synchronize();
    times.push((performance.now() - start) / length);
  }
  return `${(times.toSorted((a, b) => a - b)[2] ?? Number.NaN).toFixed(4).padStart(10)} ms`;
}
