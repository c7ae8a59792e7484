/**
 * Measures how evenly the app draws: `npx tsx examples/health-monitor/test/measure-drawing.ts`. Prints pictures a second, the
 * longest time between two of them, and the page's longest task, before and while the app learns.
 */
import type { Page } from "playwright";
import { openApp, picturesOf, startDriver } from "./page-driver.ts";

const seconds = 10;

const driver = await startDriver();
try {
  const page = await driver.browser.newPage({ viewport: { width: 1360, height: 900 } });
  await page.addInitScript("globalThis.__name = (named) => named;"); // the same helper, for the driver's own functions
  await openApp(page, driver.address);
  for (const source of ["Heart", "Single-hop network"]) {
    await page.getByRole("button", { name: source, exact: true }).click();
    await page.getByRole("heading", { name: source }).waitFor();
    console.log(`${source}, idle:     ${await measure(page)}`);
    await page.getByLabel("Passes").fill("10000");
    await page.getByRole("button", { name: /^Learn/ }).click();
    await page
      .getByText(/epoch ([2-9]|\d\d|\d,)/)
      .first()
      .waitFor();
    console.log(`${source}, learning: ${await measure(page)}`);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: /^Learn/ }).waitFor();
  }
} finally {
  await driver.close();
}

/** Watches for some seconds. */
async function measure(page: Page): Promise<string> {
  const before = await picturesOf(page);
  const { gap, task, watched } = await page.evaluate<Watched>(watchFrames(1000 * seconds));
  const rate = ((1000 * ((await picturesOf(page)) - before)) / watched).toFixed(1);
  return `${rate} pictures/s, longest gap ${gap.toFixed(0)} ms, longest task ${task > 0 ? `${task.toFixed(0)} ms` : "below 50 ms"}`;
}

/** In the page: the longest time between two frames, and the longest task that browsers report, in milliseconds. */
function watchFrames(milliseconds: number): string {
  // Text, because what compiles this file names functions with a helper that the page does not have.
  return `new Promise((resolve) => {
    let [gap, task] = [0, 0];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) task = Math.max(task, duration);
    });
    observer.observe({ type: "longtask" });
    const started = performance.now();
    let last = started;
    requestAnimationFrame(function next() {
      const now = performance.now();
      gap = Math.max(gap, now - last);
      last = now;
      if (now - started < ${milliseconds}) requestAnimationFrame(next);
      else {
        observer.disconnect();
        resolve({ gap, task, watched: now - started });
      }
    });
  })`;
}

/** What `watchFrames` found. */
interface Watched {
  readonly gap: number;
  readonly task: number;
  readonly watched: number;
}
