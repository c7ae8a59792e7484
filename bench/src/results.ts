/** What the comparisons share: installing the other libraries, printing numbers, writing results with what they were measured on. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** Installs the other libraries once, and again when others are asked for, beside the project's own dependencies. */
export function installPeers(): void {
  const installed = packagesOf("node_modules/.package-lock.json");
  const wanted = Object.entries(packagesOf("package-lock.json")).filter(([path]) => path !== "");
  if (wanted.every(([path, { version, optional }]) => optional || installed[path]?.version === version)) return;
  console.log("installing the other libraries into bench/peers (980 MB, once)");
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: `${folder}peers`,
    stdio: "inherit",
  });
}

/** The packages in a lockfile of npm's, by their folders; none where there is no such file. */
function packagesOf(file: string): Readonly<Record<string, { readonly version: string; readonly optional?: boolean }>> {
  const path = `${folder}peers/${file}`;
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}

/** A number with three digits or so. */
export function digits(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** Writes results with what they were measured on; returns the file's path. */
export function save(name: string, results: Readonly<Record<string, unknown>>): string {
  const time = new Date().toISOString();
  mkdirSync(`${folder}results`, { recursive: true });
  const path = `${folder}results/${name}${time.replaceAll(":", "-").slice(0, 19)}.json`;
  const [processor] = cpus();
  const machine = {
    processor: processor?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()}`,
    architecture: process.arch,
    node: process.version,
    v8: process.versions.v8,
    loadAverages: loadavg(),
  };
  const revision = execFileSync("git", ["rev-parse", "HEAD"], { cwd: folder, encoding: "utf8" }).trim();
  writeFileSync(path, `${JSON.stringify({ time, revision, machine, ...results }, null, 2)}\n`);
  return path;
}
