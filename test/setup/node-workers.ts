/** Starts threads of Node from TypeScript files: bundled once each, because a thread does not know the loader of its process. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";

const bundles = new Map<string, Promise<string>>();

/** A thread that runs the file at `url`. */
export async function startNodeWorker(url: URL): Promise<Worker> {
  return new Worker(await bundled(url), { execArgv: [] });
}

/** The path of the bundle of a worker's file. */
export function bundled(url: URL): Promise<string> {
  const known = bundles.get(url.href) ?? bundle(fileURLToPath(url));
  bundles.set(url.href, known);
  return known;
}

async function bundle(path: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mlx-ts-worker-"));
  await build({
    entryPoints: [path],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    outdir: folder,
    entryNames: "worker",
    outExtension: { ".js": ".mjs" },
    logLevel: "silent",
    tsconfig: fileURLToPath(new URL("../../tsconfig.json", import.meta.url)),
  });
  return join(folder, "worker.mjs");
}
