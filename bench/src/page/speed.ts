/**
 * `npm run bench:page-speed [-- matmul,conv]`: the rows of the CPU's benchmark in Chromium, on one thread (a page that is not
 * cross-origin isolated) and on all of the machine's. For a page has no flags of the engine to set.
 */
import { type CpuRow, cpuRows } from "../cpu-rows.ts";
import { digits } from "../results.ts";
import { withPage } from "./browser.ts";

const words = (process.argv[2] ?? "").split(",");
const chosen = cpuRows.filter(({ name }) => words.some((word) => name.includes(word)));
if (chosen.length === 0)
  throw new Error(`no row is called ${process.argv[2]}: ${cpuRows.map(({ name }) => name).join(", ")}`);

for (const isIsolated of [false, true]) {
  await withPage(["speed-page"], isIsolated, async ({ page, browser }) => {
    const threads = isIsolated ? Number(await page.evaluate("navigator.hardwareConcurrency")) : 1;
    console.log(`\nChromium ${browser.version()}, threads: ${threads}`);
    for (const row of chosen) {
      const found: unknown = await page.evaluate(`measure(${JSON.stringify(row.name)}, 600)`);
      console.log(`${`${row.title}, ${row.unit}`.padEnd(60)} ${typeof found === "number" ? shown(row, found) : found}`);
    }
  });
}

function shown({ unit, work = 0 }: CpuRow, milliseconds: number): string {
  return digits(unit === "ms" ? milliseconds : work / milliseconds / 1e6);
}
