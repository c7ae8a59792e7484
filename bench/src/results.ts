/** What the comparisons share: printing numbers, writing results with what they were measured on. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("..", import.meta.url));

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
