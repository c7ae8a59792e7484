/** How long a fresh process takes to its first result, and what the first two calls of a new kernel cost. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { median } from "./comparison.ts";
import { digits } from "./results.ts";

const program = fileURLToPath(new URL("start-up-process.mjs", import.meta.url));
const built = fileURLToPath(new URL("../../dist/node/index.js", import.meta.url));

/** What a fresh process reports, in milliseconds. */
interface Report {
  /** From before the library is imported to the first value. */
  readonly first: number;
  /** The first and the second call of each new kernel. */
  readonly calls: Readonly<Record<string, readonly [number, number]>>;
}

/** Starts processes in turns; needs the built library, as users load it. */
export async function measureStart(
  executables: ReadonlyMap<string, { readonly executable: string }>,
  rounds: number,
): Promise<readonly unknown[]> {
  if (!existsSync(built)) throw new Error(`${built} is missing: npm run build`);
  const reports = new Map<string, Report[]>([...executables.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, { executable }] of executables) {
      const text = execFileSync(executable, [program, built], { encoding: "utf8" });
      reports.get(name)?.push(JSON.parse(text));
    }
  }
  console.log("\nstart, ms: from before the import to the first value; first and second call of new kernels");
  return [...reports].map(([name, own]) => {
    const first = median(own.map((report) => report.first));
    const calls = Object.keys(own[0]?.calls ?? {}).map((kernel) => {
      const [once, again] = [0, 1].map((index) => median(own.map(({ calls }) => calls[kernel]?.[index] ?? Number.NaN)));
      return { kernel, once, again };
    });
    const texts = calls.map(({ kernel, once, again }) => `${kernel} ${digits(once ?? 0)} ${digits(again ?? 0)}`);
    console.log(`${name}: ${digits(first)}; ${texts.join(", ")}`);
    return { name, first, calls };
  });
}
