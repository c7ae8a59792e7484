/** The page that computes rows of the CPU's benchmark in a browser. */
import { median } from "../comparison.ts";
import { library } from "../cpu-library-mlx.ts";
import type { CpuRowName } from "../cpu-rows.ts";

/** The median of a row's runs in ms, or why it cannot be computed. */
async function measure(name: CpuRowName, milliseconds: number): Promise<number | string> {
  const setUp = library.rows[name];
  if (typeof setUp === "string") return setUp;
  const { run, operations = 1 } = await setUp();
  for (let k = 0; k < 3; k++) await run();
  const times: number[] = [];
  const began = performance.now();
  do {
    const start = performance.now();
    await run();
    times.push((performance.now() - start) / operations);
  } while (performance.now() - began < milliseconds || times.length < 5);
  return median(times);
}

Object.assign(globalThis, { measure });
