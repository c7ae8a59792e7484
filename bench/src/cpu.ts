/**
 * `npm run bench -- cpu`: ours on Node 20 and Node 24 beside native code, in turns: OpenBLAS, loops in C, llama.cpp, ONNX
 * Runtime, PyTorch, and jax-js; then fresh processes, beside jax-js and TensorFlow.js. A cell of a peer holds its figure and our speed divided by its: on Node 20, on Node 24. A peer
 * that is missing here is named with the remedy, and the benchmark fails at its end.
 */
import { compare, type Measurement } from "./comparison.ts";
import { ourSubjects, type StartPeer, startOf } from "./cpu-peers.ts";
import { type CpuPeerName, type CpuRow, cpuRows } from "./cpu-rows.ts";
import { installPeers } from "./installed-peers.ts";
import { digits, save } from "./results.ts";
import { measureStart } from "./start-up.ts";

/** Measures the rows that are asked for and judges them by their goals. */
export async function measureCpu(
  options: { readonly only?: string | undefined; readonly threads: string; readonly by: string },
  words: readonly string[],
): Promise<void> {
  const parts = options.only?.split(",") ?? [""];
  const wanted = cpuRows.filter(({ name }) => parts.some((part) => name.includes(part)));
  const figure = figures.find(({ by }) => by === options.by);
  if (!figure) throw new Error(`--by ${options.by}: say ${figures.map(({ by }) => by).join(", ")}`);
  installPeers();
  const ours = ourSubjects();
  const effort = words.includes("quick") ? { rounds: 3, milliseconds: 100 } : { rounds: 7, milliseconds: 300 };
  const starts = new Map<CpuPeerName, StartPeer | string>();
  const measurements: Measurement[] = [];
  for (const threads of options.threads.split(",").map(Number)) {
    console.log(`\n${threads} thread${threads === 1 ? "" : "s"}; in brackets: our speed / theirs, Node 20 and Node 24`);
    for (const row of wanted) {
      const contenders = [...ours].map(([name, { start }]) => ({ name, start }));
      for (const name of words.includes("ours") ? [] : row.peers) {
        const start = starts.get(name) ?? startOf(name);
        starts.set(name, start);
        if (typeof start !== "string") contenders.push({ name, start });
      }
      const measured = await compare(row, threads, contenders, effort);
      measurements.push(...measured);
      console.log(lineOf(row, measured, figure));
    }
  }
  const start = parts.some((part) => "start".includes(part))
    ? await measureStart(ours, effort.rounds, options.by, words)
    : [];
  const missing = [...starts].flatMap(([name, value]) => (typeof value === "string" ? [`${name}: ${value}`] : []));
  console.log(`\n${save("cpu-", { effort, measurements, start, missing })}`);
  for (const line of missing) console.error(`MISSING ${line}`);
  const failed = measurements.filter(({ because }) => because !== undefined);
  for (const { library, row, threads, because } of failed)
    console.error(`FAILED ${library}, ${row}, ${threads}: ${because}`);
  const notStarted = start.filter(({ row, because }) => row === "first" && because !== undefined);
  for (const { library, node, because } of notStarted) console.error(`FAILED ${library}, start on ${node}: ${because}`);
  if (missing.length + failed.length + notStarted.length > 0) process.exitCode = 1;
}

/** What of a measurement is printed: on a busy machine the best or the processor time say more than the median. */
interface Figure {
  readonly by: string;
  of(measurement: Measurement | undefined): number | undefined;
}

const figures: readonly Figure[] = [
  { by: "median", of: (measurement) => measurement?.medianMilliseconds },
  { by: "best", of: (measurement) => measurement?.bestMilliseconds },
  { by: "processor", of: (measurement) => measurement?.processorMilliseconds },
];

function lineOf(row: CpuRow, measured: readonly Measurement[], figure: Figure): string {
  const ours = measured.slice(0, 2).map((measurement) => figure.of(measurement));
  const cells = measured.map((measurement, index) => {
    const time = figure.of(measurement);
    if (time === undefined) return `${measurement.library} –`;
    const shown = `${measurement.library} ${digits(row.work === undefined ? time : row.work / time / 1e6)}`;
    if (index < 2) return shown;
    const ratios = ours.map((own) => (own === undefined ? undefined : time / own));
    const texts = ratios.map((ratio) => (ratio === undefined ? "–" : digits(ratio)));
    return `${shown} [${texts.join(" ")}]${verdict(row, measurement.library, ratios)}`;
  });
  return `${`${row.title}, ${row.unit}`.padEnd(60)} ${cells.join("  ")}`;
}

/** Whether the goals beside this peer are reached; nothing where there are none. */
function verdict(row: CpuRow, peer: string, ratios: readonly (number | undefined)[]): string {
  const goal = row.goals.find((one) => one.peer === peer);
  if (!goal) return "";
  const isMet = [goal.node20, goal.node24].every(
    (share, index) => share === undefined || (ratios[index] ?? 0) >= share,
  );
  return isMet ? " met" : " MISSED";
}
