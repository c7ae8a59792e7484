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

/** What one fresh process reports of a row, "first" among them: its times in milliseconds, or why there are none. */
type Call = { readonly milliseconds: readonly number[] } | { readonly because: string };

interface Report {
  readonly versions: Readonly<Record<string, string>>;
  readonly calls: Readonly<Record<string, Call>>;
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
  readonly runs?: number;
  /** Why there is no measurement. */
  readonly because?: string;
}

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
    const rows = here.filter(({ library }) => library === "mlx-ts").map(({ row }) => row);
    console.log(node);
    for (const row of rows)
      console.log(
        lineOf(
          here.filter((measurement) => measurement.row === row),
          by,
        ),
      );
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
  const failure = reports.find((one) => typeof one === "string");
  if (failure !== undefined) return [{ library, node, row: "first", because: failure }];
  const own = reports.filter((one) => typeof one !== "string");
  const [any] = own;
  return Object.entries(any?.calls ?? {}).map(([row, call]) => {
    const base = { library, node, row, ...(any ? { versions: any.versions } : {}) };
    if ("because" in call) return { ...base, because: call.because };
    const times = call.milliseconds.map((_, k) => own.map(({ calls }) => timeOf(calls[row], k)));
    return {
      ...base,
      medianMilliseconds: times.map(median),
      bestMilliseconds: times.map((some) => Math.min(...some)),
      runs: own.length,
    };
  });
}

function timeOf(call: Call | undefined, k: number): number {
  return (call && "milliseconds" in call ? call.milliseconds[k] : undefined) ?? Number.NaN;
}

/** A row on one version of Node, ours first. */
function lineOf(measured: readonly StartMeasurement[], by: string): string {
  const timesOf = ({ medianMilliseconds, bestMilliseconds }: StartMeasurement): readonly number[] =>
    (by === "best" ? bestMilliseconds : medianMilliseconds) ?? [];
  const [ours] = measured;
  const own = ours ? timesOf(ours) : [];
  const row = ours?.row ?? "";
  const cells = measured.map((measurement, index) => {
    const times = timesOf(measurement);
    if (times.length === 0) return `${measurement.library} – (${measurement.because})`;
    const shown = `${measurement.library} ${times.map(digits).join(" ")}`;
    if (index > 0) return `${shown} [${times.map((time, k) => digits(time / (own[k] ?? Number.NaN))).join(" ")}]`;
    const isMet = times.every((time) => time <= (row === "first" ? goals.first : goals.call));
    return `${shown} ${isMet ? "met" : "MISSED"}`;
  });
  return `${row.padEnd(12)} ${cells.join("  ")}`;
}
