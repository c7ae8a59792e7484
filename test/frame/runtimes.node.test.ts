/** The runtimes beside Node and browsers: the same program gives the same results in Deno and in Bun, and ends by itself. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rootPath } from "../../tools/root.ts";
import { runtimes } from "../../tools/runtimes.ts";
import { vulkanDrivers } from "../../tools/vulkan.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlx-ts-runtimes-"));
  await build({
    entryPoints: ["program.ts", "counter.worker.ts", "gpu-program.ts", "unprivileged-program.ts"].map((name) =>
      join(rootPath, "test/runtimes", name),
    ),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    logLevel: "silent",
    tsconfig: `${rootPath}/tsconfig.json`,
  });
});

afterAll(() => rm(folder, { recursive: true }));

async function run(name: string, ...argumentList: readonly string[]): Promise<string> {
  const [program = "", ...options] = runtimes[name] ?? [];
  const [file = "", ...rest] = argumentList;
  const { stdout } = await promisify(execFile)(program, [...options, join(folder, file), ...rest], {
    env: { ...process.env, MLX_TS_THREADS: "2", VK_ICD_FILENAMES: vulkanDrivers.lavapipe },
    timeout: 50_000,
  });
  return stdout;
}

describe.each(Object.keys(runtimes))("a program in %s", (name) => {
  it("computes, uses threads, trains, reads and writes files, calls a worker, and ends", async () => {
    const stdout = await run(name, "program.mjs", join(folder, `${name}.safetensors`));
    const { product, sum, middle, loss, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({
      half: [0.0999755859375, 65504],
      text: "array([1, 2, 3], dtype=float32)",
      restored: true,
      counted: 5000,
      refused: true,
    });
    // Engines without fused multiply-adds round differently.
    expect(product).toBeCloseTo(0.005525, 4);
    expect(sum / 3_000_000).toBeCloseTo(0.5, 3);
    expect(middle).toBeCloseTo(0.5, 3);
    expect(loss).toBeLessThan(0.01);
  });
});

describe("a program in Deno without permissions", () => {
  it("computes, and asks for none", async () => {
    const [deno = ""] = runtimes.deno ?? [];
    const { stdout } = await promisify(execFile)(deno, [
      "run",
      "--no-prompt",
      join(folder, "unprivileged-program.mjs"),
    ]);
    expect(stdout).toBe("6000000\n");
  });
});

describe("the GPU of Deno, another implementation of WebGPU", () => {
  it("computes what the CPU computes", async () => {
    const { moved, differences } = JSON.parse(await run("deno", "gpu-program.mjs"));
    expect(moved).toBe(true);
    expect(Object.keys(differences)).toHaveLength(13);
    // Rounding of sums of at most 130 · 70 products.
    for (const [name, difference] of Object.entries(differences)) expect(difference, name).toBeLessThan(1e-5);
  });
});
