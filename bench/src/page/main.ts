/**
 * `npm run bench:page`: the longest task of a page's main thread in Chromium while a worker trains, and the page draws and predicts.
 * Tasks are those of Chromium's own trace; their processor time leaves out what other programs of the machine took.
 */
import { withPage } from "./browser.ts";

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const steps = Number(process.argv[2] ?? 600);
await withPage(["page", "train.worker"], true, async ({ page, browser }) => {
  await browser.startTracing(page, { categories: ["toplevel", "blink.user_timing", "devtools.timeline"] });
  const result: unknown = await page.evaluate(`measure(${steps})`);
  const { traceEvents }: { traceEvents: readonly TraceEvent[] } = JSON.parse((await browser.stopTracing()).toString());
  const [begin, end] = ["training begins", "training ends"].map((name) =>
    traceEvents.find((event) => event.name === name),
  );
  if (!begin || !end) throw new Error("the trace lacks the marks of the training");
  const tasks = traceEvents.filter(
    ({ name, ph, pid, tid, ts }) =>
      /RunTask$/.test(name) && ph === "X" && pid === begin.pid && tid === begin.tid && ts >= begin.ts && ts <= end.ts,
  );
  const longest = (key: "dur" | "tdur"): string =>
    tasks
      .map((task) => (task[key] ?? 0) / 1000)
      .sort((a, b) => b - a)
      .slice(0, 5)
      .map((milliseconds) => milliseconds.toFixed(1))
      .join(", ");
  console.log(JSON.stringify(result));
  console.log(`${tasks.length} tasks of the main thread while it trained; the longest, in ms:`);
  console.log(`  elapsed:        ${longest("dur")}`);
  console.log(`  processor time: ${longest("tdur")}`);
});
