/**
 * `npm run bench`: mlx-ts beside other libraries on the same machine, in turns, and what our memory does over time.
 *
 *     npm run bench -- [quick] [ours] [--only softmax,matmul] [--threads 1,2]
 *     npm run bench -- memory
 *     npm run bench -- soak [--minutes 60] [--seed 0]
 *     npm run bench -- gpu [--only matmul,softmax]
 *     npm run bench -- cpu [quick] [ours] [--only conv] [--threads 1,2] [--by median|best|processor]
 *
 * A row is printed as its median and, below the others, how many times as fast as each we are. Results go to
 * bench/results as JSON. The other libraries are installed into bench/peers when they are first needed.
 */
import { parseArgs } from "node:util";
import { compare, type Measurement } from "./comparison.ts";
import { measureCpu } from "./cpu.ts";
import { installPeers } from "./installed-peers.ts";
import { measureMemory } from "./memory.ts";
import { Peer, subjects } from "./peer.ts";
import { digits, save } from "./results.ts";
import { type Row, rows } from "./rows.ts";
import { soak } from "./soak.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    threads: { type: "string", default: "1,2" },
    by: { type: "string", default: "median" },
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: "0" },
  },
});
const known = ["quick", "ours", "memory", "gpu", "cpu", "soak"];
const unknown = positionals.find((word) => !known.includes(word));
if (unknown !== undefined) throw new Error(`there is no ${unknown}: say ${known.join(", ")}`);

if (positionals.includes("memory")) await measureMemory();
else if (positionals.includes("soak")) await soak(Number(values.minutes), Number(values.seed));
else if (positionals.includes("gpu")) await import("./gpu.ts");
else if (positionals.includes("cpu")) await measureCpu(values, positionals);
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
      const contenders = chosen.map((subject) => ({
        name: subject.name,
        start: (count: number) => new Peer(subject, count),
      }));
      const measured = await compare(row, threads, contenders, effort);
      measurements.push(...measured);
      console.log(`${`${row.title}, ${row.unit}`.padEnd(44)}${cells(row, measured).join("")}`);
    }
  }
  const path = save("", { effort, measurements });
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
