/** What a program costs the page that loads it: the numbers that a commit moves on purpose, and how they are measured. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build, type OutputChunk } from "rolldown";
import { rootPath } from "./root.ts";

/** The most that a bundled program may weigh. */
export interface BundleBudget {
  readonly name: string;
  /** The program that is bundled and run. */
  readonly program: string;
  /** What it prints. */
  readonly output: string;
  /** The limit in bytes, minified and gzipped, of all that is loaded to run it. */
  readonly byteLimit: number;
}

/** What a program weighs, in bytes, minified and gzipped chunk by chunk. */
export interface BundleSize {
  /** What the page loads before the program starts. */
  readonly start: number;
  /** All that is loaded by the time the program has ended, on one thread or on two. */
  readonly loaded: number;
  /** All chunks, needed or not. */
  readonly all: number;
  /** The chunks that were loaded, with what each weighs. */
  readonly chunks: ReadonlyMap<string, number>;
  /** What the program printed. */
  readonly outputs: readonly string[];
}

/** The budgets: what adds, sums and differentiates loads, and what it loads besides where threads have work to do. */
export const bundleBudgets: readonly BundleBudget[] = [
  {
    name: "array, add, sum, grad",
    program: `
import { add, array, evaluate, grad, sum } from "mlx-ts";
const few = array([1, 2, 3]);
const more = add(few, 1);
await evaluate(more);
console.log(await more.tolist(), await sum(more).item());
console.log(await grad((x) => sum(add(x, x.mul(x))))(few).tolist());
`,
    output: "[ 2, 3, 4 ] 9\n[ 3, 5, 7 ]\n",
    byteLimit: 45_000,
  },
  {
    name: "the same on threads",
    program: `
import { add, array, evaluate, grad, sum } from "mlx-ts";
const many = array(new Float32Array(3_000_000).fill(1));
console.log(await sum(add(many, many)).item());
const slope = grad((x) => sum(add(x, x.mul(x))))(many);
await evaluate(slope);
console.log((await slope.view())[7]);
`,
    output: "6000000\n3\n",
    byteLimit: 49_500,
  },
];

/**
 * Bundles a program for browsers from this package's source, runs it, and weighs what was loaded.
 *
 * With Rolldown, Vite's bundler: esbuild puts whatever an entry re-exports into the first chunk if anything loads it later.
 */
export async function measureBundle(program: string): Promise<BundleSize> {
  const folder = await mkdtemp(join(tmpdir(), "mlx-ts-budget-"));
  try {
    const path = join(folder, "program.ts");
    await writeFile(path, program);
    const { output } = await build({
      input: path,
      platform: "browser",
      external: [/^node:/],
      tsconfig: join(rootPath, "tsconfig.json"),
      logLevel: "silent",
      resolve: { alias: { "mlx-ts": join(rootPath, "src/index.ts") } },
      output: {
        dir: folder,
        format: "esm",
        minify: true,
        comments: false,
        entryFileNames: "[name].mjs",
        chunkFileNames: "[name]-[hash].mjs",
      },
    });
    const chunks = output.filter((file) => file.type === "chunk");
    const weights = new Map(chunks.map(({ fileName, code }) => [fileName, gzipSync(code, { level: 9 }).byteLength]));
    const start = reachableChunks(chunks, "program.mjs");
    const loaded = new Set(start);
    const outputs: string[] = [];
    for (const threads of [1, 2]) {
      const run = await runBundle(folder, threads);
      outputs.push(run.output);
      for (const chunk of run.chunks) loaded.add(chunk);
    }
    const weigh = (names: Iterable<string>): number =>
      [...names].reduce((sum, name) => sum + (weights.get(name) ?? 0), 0);
    return {
      start: weigh(start),
      loaded: weigh(loaded),
      all: weigh(weights.keys()),
      chunks: new Map([...loaded].map((chunk) => [chunk, weights.get(chunk) ?? 0])),
      outputs,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A chunk with all that it imports statically. */
function reachableChunks(chunks: readonly OutputChunk[], entry: string): ReadonlySet<string> {
  const importsOf = new Map(chunks.map(({ fileName, imports }) => [fileName, imports]));
  const found = new Set([entry]);
  for (const chunk of found) for (const imported of importsOf.get(chunk) ?? []) found.add(imported);
  return found;
}

/** Runs a bundle in Node; the engine's coverage report names the chunks that were loaded. */
async function runBundle(
  folder: string,
  threads: number,
): Promise<{ readonly output: string; readonly chunks: readonly string[] }> {
  const coverage = await mkdtemp(join(tmpdir(), "mlx-ts-coverage-"));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "program.mjs")], {
      env: { ...process.env, MLX_TS_THREADS: String(threads), NODE_V8_COVERAGE: coverage },
    });
    const reports = await Promise.all((await readdir(coverage)).map((name) => readFile(join(coverage, name), "utf8")));
    const names = reports.flatMap((report) => [...report.matchAll(/"url":"file:\/\/[^"]*\/([^"/]+\.mjs)"/g)]);
    return { output: stdout, chunks: names.map(([, name = ""]) => name) };
  } finally {
    await rm(coverage, { recursive: true });
  }
}
