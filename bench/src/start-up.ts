/** How long a fresh process takes to its first result, and what the first two calls of a new kernel cost, beside other libraries. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { median } from "./comparison.ts";
import { digits } from "./results.ts";

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const built = pathOf("../../dist/node/index.js");

/** A library that fresh processes load: a program that reports in JSON, and what it is told. */
interface Subject {
  readonly library: string;
  readonly command: readonly string[];
}

const subjects: readonly Subject[] = [
  { library: "mlx-ts", command: [pathOf("start-up-mlx.mjs"), built] },
  { library: "jax-js", command: [pathOf("../peers/src/start-up-jax.mjs")] },
  { library: "tfjs-wasm", command: [pathOf("../peers/src/start-up-tfjs.mjs"), "@tensorflow/tfjs"] },
  { library: "tfjs-wasm, core", command: [pathOf("../peers/src/start-up-tfjs.mjs"), "@tensorflow/tfjs-core"] },
];

/** The longest that each may take: from before the import to the first value, and in any call. */
const goals = { first: 60, call: 15 } as const;

/** One call in a fresh process: wall time, and processor time of all its threads. */
export interface Call {
  readonly milliseconds: number;
  readonly processorMilliseconds: number;
}

/** What a fresh process reports of each row, "first" among them: its calls, or why there are none. */
export interface Report {
  readonly versions: Readonly<Record<string, string>>;
  readonly calls: Readonly<Record<string, readonly Call[] | string>>;
}

/** What a library did in a row, on one version of Node. */
export interface StartMeasurement {
  readonly library: string;
  readonly node: string;
  /** "first" from before the import to the first value, else a new kernel. */
  readonly row: string;
  readonly versions?: Readonly<Record<string, string>>;
  /** Over the processes: of the only call of "first", of the first and the second call of a kernel. */
  readonly medianMilliseconds?: readonly number[];
  readonly bestMilliseconds?: readonly number[];
  /** Medians of the processor time, what a busy machine disturbs least. */
  readonly processorMilliseconds?: readonly number[];
  readonly runs?: number;
  /** Why there is no measurement. */
  readonly because?: string;
}

/** What of a measurement is printed, by the words of `--by`. */
const figures: Readonly<Record<string, (measurement: StartMeasurement) => readonly number[] | undefined>> = {
  median: (measurement) => measurement.medianMilliseconds,
  best: (measurement) => measurement.bestMilliseconds,
  processor: (measurement) => measurement.processorMilliseconds,
};

/** Starts processes in turns; needs the built library, as users load it. */
export async function measureStart(
  executables: ReadonlyMap<string, { readonly executable: string }>,
  rounds: number,
  by: string,
  words: readonly string[],
): Promise<readonly StartMeasurement[]> {
  if (!existsSync(built)) throw new Error(`${built} is missing: npm run build`);
  const wanted = words.includes("ours") ? subjects.slice(0, 1) : subjects;
  const states = [...executables].flatMap(([node, { executable }]) =>
    wanted.map((subject) => ({ ...subject, node, executable, reports: [] as (Report | string)[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { executable, command, reports } of states) reports.push(report(executable, command));
  }
  const measurements = states.flatMap(({ library, node, reports }) => measurementsOf(library, node, reports));
  console.log(
    "\nfresh processes, ms: from before the import to the first value, then first and second calls of new kernels;",
  );
  console.log("in brackets: our speed / theirs");
  for (const node of executables.keys()) {
    const here = measurements.filter((measurement) => measurement.node === node);
    console.log(node);
    for (const row of new Set(here.map((measurement) => measurement.row))) {
      const cells = here.filter((measurement) => measurement.row === row);
      console.log(`${row.padEnd(12)} ${cellsOf(cells, by).join("  ")}`);
    }
  }
  return measurements;
}

/** What a fresh process says, or why it says nothing. */
function report(executable: string, command: readonly string[]): Report | string {
  const { error, status, stdout, stderr } = spawnSync(executable, command, { encoding: "utf8", timeout: 60_000 });
  if (error) return error.message;
  return status === 0 ? JSON.parse(stdout) : `its process ended: ${stderr.trim().slice(-500)}`;
}

/** Medians and best times over a library's processes; a process that failed speaks for all. */
function measurementsOf(library: string, node: string, reports: readonly (Report | string)[]): StartMeasurement[] {
  const failure = reports.find((report) => typeof report === "string");
  if (failure !== undefined) return [{ library, node, row: "first", because: failure }];
  const own = reports.filter((report) => typeof report !== "string");
  const [one] = own;
  return Object.entries(one?.calls ?? {}).map(([row, call]) => {
    const base = { library, node, row, ...(one ? { versions: one.versions } : {}) };
    if (typeof call === "string") return { ...base, because: call };
    const each = call.map((_, k) => own.flatMap(({ calls }) => calls[row]?.[k] ?? []));
    const calls = each.map((some) => some.filter((time) => typeof time !== "string"));
    return {
      ...base,
      medianMilliseconds: calls.map((some) => median(some.map(({ milliseconds }) => milliseconds))),
      bestMilliseconds: calls.map((some) => Math.min(...some.map(({ milliseconds }) => milliseconds))),
      processorMilliseconds: calls.map((some) =>
        median(some.map(({ processorMilliseconds }) => processorMilliseconds)),
      ),
      runs: own.length,
    };
  });
}

/** A row on one version of Node, ours first; goals are of wall time. */
function cellsOf(measured: readonly StartMeasurement[], by: string): readonly string[] {
  const timesOf = (measurement: StartMeasurement): readonly number[] => figures[by]?.(measurement) ?? [];
  const ours = measured.find(({ library }) => library === "mlx-ts");
  const own = ours ? timesOf(ours) : [];
  return measured.map((measurement) => {
    const times = timesOf(measurement);
    if (times.length === 0) return `${measurement.library} – (${measurement.because})`;
    const shown = `${measurement.library} ${times.map(digits).join(" ")}`;
    if (measurement !== ours) return `${shown} [${times.map((time, k) => ratio(time, own[k])).join(" ")}]`;
    if (by === "processor") return shown;
    const isMet = times.every((time) => time <= (measurement.row === "first" ? goals.first : goals.call));
    return `${shown} ${isMet ? "met" : "MISSED"}`;
  });
}

const ratio = (time: number, own: number | undefined): string => (own === undefined ? "–" : digits(time / own));
