/**
 * `npm run bench -- gpu`: the GPU's rows on the GPU at hand, one line each: milliseconds a run (median),
 * and what that is in TFLOP/s or GB/s. `--only matmul,softmax` picks lines. `bench/src/gpu-torch.py` prints the same lines for
 * PyTorch on the same machine; with `python3` and torch at hand it runs in turn, and so do jax-js and TensorFlow.js through Dawn
 * (`bench/peers/src/gpu.ts`).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as mx from "mlx-ts";
import { median } from "./comparison.ts";
import { gpuRows } from "./gpu-rows.ts";
import { installPeers } from "./installed-peers.ts";

/** Measures every line whose name contains one of the words, and prints it. */
async function measureGpu(only: readonly string[]): Promise<void> {
  mx.setDefaultDevice("gpu");
  console.log(JSON.stringify(await mx.gpu.info()));
  for (const { name, prepare, flops, bytes } of gpuRows) {
    if (!only.some((word) => name.includes(word))) continue;
    try {
      const run = await prepare();
      const milliseconds = await medianOf(run);
      const rate = flops
        ? `${(flops / milliseconds / 1e9).toFixed(2)} TFLOP/s`
        : bytes
          ? `${(bytes / milliseconds / 1e6).toFixed(0)} GB/s`
          : "";
      console.log(`${name.padEnd(44)} ${milliseconds.toFixed(4).padStart(10)} ms  ${rate}`);
    } catch (error) {
      console.log(`${name.padEnd(44)} failed: ${error instanceof Error ? error.message.slice(0, 300) : String(error)}`);
    }
    mx.memory.clearCache();
  }
  const torch = spawnSync("python3", [new URL("gpu-torch.py", import.meta.url).pathname, only.join(",")], {
    encoding: "utf8",
  });
  console.log(torch.status === 0 ? torch.stdout : "PyTorch does not run here");
  measurePeers(only);
}

/** The same lines in the other libraries, each in a process of its own; not where this is one file without them. */
function measurePeers(only: readonly string[]): void {
  const program = fileURLToPath(new URL("../peers/src/gpu.ts", import.meta.url));
  if (!existsSync(program)) return;
  installPeers();
  for (const peer of ["jax", "tfjs"]) {
    const words = only.filter((word) => word !== "");
    const { stdout } = spawnSync(process.execPath, ["--import", "tsx", program, peer, ...words], { encoding: "utf8" });
    console.log(
      stdout
        .split("\n")
        .filter((line) => line.startsWith(`${peer}:`))
        .join("\n"),
    );
  }
}

/** The median of a run's time, waited for one by one, and of a run within a train of them, whichever is less. */
async function medianOf(run: () => Promise<void>): Promise<number> {
  for (let k = 0; k < 3; k++) await run();
  await mx.synchronize();
  const alone: number[] = [];
  const first = performance.now();
  while (alone.length < 5 || (performance.now() - first < 400 && alone.length < 60)) {
    const start = performance.now();
    await run();
    await mx.synchronize();
    alone.push(performance.now() - start);
  }
  const single = median(alone);
  const length = Math.max(2, Math.min(50, Math.ceil(100 / single)));
  const trains: number[] = [];
  for (let k = 0; k < 5; k++) {
    const start = performance.now();
    for (let j = 0; j < length; j++) await run();
    await mx.synchronize();
    trains.push((performance.now() - start) / length);
  }
  return Math.min(single, median(trains));
}

const { values } = parseArgs({ allowPositionals: true, strict: false, options: { only: { type: "string" } } });
await measureGpu(typeof values.only === "string" ? values.only.split(",") : [""]);
