/**
 * `npm run bench`: mlx-ts beside other libraries on the same machine, in turns, and what our memory does over time.
 *
 *     npm run bench -- [quick] [ours] [--only softmax,matmul] [--threads 1,2]
 *     npm run bench -- memory
 *     npm run bench -- gpu [--only matmul,softmax]
 *
 * A row is printed as its median and, below the others, how many times as fast as each we are. Results go to
 * bench/results as JSON. The other libraries are installed into bench/peers when they are first needed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compare, type Measurement } from "./comparison.ts";
import { measureMemory } from "./memory.ts";
import { subjects } from "./peer.ts";
import { type Row, rows } from "./rows.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, threads: { type: "string", default: "1,2" } },
});
const known = ["quick", "ours", "memory", "gpu"];
const unknown = positionals.find((word) => !known.includes(word));
if (unknown !== undefined) throw new Error(`there is no ${unknown}: say ${known.join(", ")}`);

if (positionals.includes("memory")) await measureMemory();
else if (positionals.includes("gpu")) await import("./gpu.ts");
else await measureRows();

async function measureRows(): Promise<void> {
  const isQuick = positionals.includes("quick");
  const words = values.only?.split(",") ?? [""];
  const wanted = rows.filter(({ name }) => words.some((word) => name.includes(word)));
  if (wanted.length === 0)
    throw new Error(`no row is called ${values.only}: ${rows.map(({ name }) => name).join(", ")}`);
  const chosen = positionals.includes("ours") ? subjects.slice(0, 1) : subjects;
  if (chosen.length > 1) installPeers();
  const effort = isQuick ? { rounds: 3, milliseconds: 100 } : { rounds: 7, milliseconds: 300 };
  const measurements: Measurement[] = [];
  for (const threads of values.threads.split(",").map(Number)) {
    console.log(`\n${threads} thread${threads === 1 ? "" : "s"}; in brackets: our speed / theirs`);
    console.log(`${"".padEnd(44)}${chosen.map(({ name }) => name.padStart(18)).join("")}`);
    for (const row of wanted) {
      const measured = await compare(row, threads, chosen, effort);
      measurements.push(...measured);
      console.log(`${`${row.title}, ${row.unit}`.padEnd(44)}${cells(row, measured).join("")}`);
    }
  }
  const path = save({ effort, measurements });
  console.log(`\n${path}`);
}

/** The measurements of a row as text: the median, and our speed over theirs. */
function cells(row: Row, measured: readonly Measurement[]): readonly string[] {
  const ours = measured[0]?.medianMilliseconds;
  return measured.map(({ medianMilliseconds }, k) => {
    if (medianMilliseconds === undefined) return "–".padStart(18);
    const ratio = k > 0 && ours !== undefined ? ` [${digits(medianMilliseconds / ours)}]` : "";
    return `${digits(inUnit(row, medianMilliseconds))}${ratio}`.padStart(18);
  });
}

function inUnit(row: Row, milliseconds: number): number {
  if (row.unit === "GFLOP/s") return (row.flops ?? 0) / milliseconds / 1e6;
  return row.unit === "µs" ? milliseconds * 1000 : milliseconds;
}

function digits(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** Installs the other libraries once, beside the project's own dependencies. */
function installPeers(): void {
  if (existsSync(`${folder}peers/node_modules/.package-lock.json`)) return;
  console.log("installing the other libraries into bench/peers (750 MB, once)");
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: `${folder}peers`,
    stdio: "inherit",
  });
}

/** Writes results with what they were measured on; returns the file's path. */
function save(results: { effort: unknown; measurements: readonly Measurement[] }): string {
  const time = new Date().toISOString();
  mkdirSync(`${folder}results`, { recursive: true });
  const path = `${folder}results/${time.replaceAll(":", "-").slice(0, 19)}.json`;
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
