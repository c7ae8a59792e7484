/** The studio's page in a browser: runs, live curves, comparison, commands, themes, keys. */
import { appendFile, mkdir, mkdtemp, readFile, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandsFile, eventsFile, type RunEvent, writeRunEvent } from "mlx-ts/train";
import { type Browser, chromium, type Page } from "playwright";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { chromiumArguments, chromiumPath } from "../../../tools/chromium.ts";
import { rootPath } from "../../../tools/root.ts";
import { endEvent, startEvent, stepEvent } from "../../monitor/test/events.ts";
import { type Studio, startStudio } from "../src/server/serve.ts";

let folder = "";
let directory = "";
let browser: Browser;
let studio: Studio;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlx-ts-studio-page-"));
  const outDir = join(folder, "page");
  await build({ configFile: join(rootPath, "packages/studio/vite.config.ts"), build: { outDir } });
  browser = await chromium.launch({ executablePath: chromiumPath, args: [...chromiumArguments] });
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  directory = await mkdtemp(join(folder, "runs-"));
  studio = await startStudio({ directory, port: 0, page: join(folder, "page") });
  page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
});
afterEach(async () => {
  await page.close();
  await studio.close();
  expect(problems.splice(0)).toEqual([]);
});

async function write(run: string, ...events: readonly RunEvent[]): Promise<void> {
  await mkdir(join(directory, run), { recursive: true });
  await appendFile(join(directory, run, eventsFile), events.map(writeRunEvent).join(""));
}

const steps = (count: number, loss: (step: number) => number): RunEvent[] =>
  Array.from({ length: count }, (_, k) => stepEvent(k + 1, { loss: loss(k + 1) }));

describe("the studio's page", () => {
  it("shows a run as it grows, and asks its training to pause", async () => {
    await page.goto(studio.address);
    await page.getByText("There are no runs").waitFor();
    await write("first", startEvent({ steps: 100 }), ...steps(50, (step) => 1 / step));
    await page.getByText("step 50 of 100").waitFor();
    await expect.poll(() => page.title()).toBe("first · mlx-ts studio");
    await page.getByRole("button", { name: "Pause" }).click();
    const commands = (): Promise<string> => readFile(join(directory, "first", commandsFile), "utf8").catch(() => "");
    await expect.poll(commands).toBe('{"kind":"pause"}\n');
    await write("first", { kind: "pause", step: 50, epoch: 0, batch: 50 });
    await page.getByRole("button", { name: "Resume" }).waitFor();
    await page.getByLabel("Learning rate", { exact: true }).fill("3e-4");
    await page.keyboard.press("Enter");
    await expect.poll(commands).toContain('"learningRate":0.0003');
    await write("first", { kind: "resume", step: 50, epoch: 0, batch: 50 }, { ...endEvent(100), step: 100 });
    await page.locator("mlx-training-monitor .status", { hasText: "Finished" }).waitFor();
    await expect.poll(() => page.getByRole("button", { name: "Pause" }).isDisabled()).toBe(true);
  });

  it("shows as stopped what was killed, and goes on with it when it does", async () => {
    await write("first", startEvent({ steps: 100 }), ...steps(50, (step) => 1 / step));
    const old = new Date(Date.now() - 60_000);
    await utimes(join(directory, "first", eventsFile), old, old);
    await page.goto(studio.address);
    const status = page.locator("mlx-training-monitor .status");
    await expect.poll(() => status.textContent(), { timeout: 10_000 }).toContain("Stopped");
    expect(await page.getByRole("button", { name: "Pause" }).isDisabled()).toBe(true);
    await write("first", startEvent({ steps: 100, step: 50 }), stepEvent(51, { loss: 0.1 }));
    await expect.poll(() => status.textContent(), { timeout: 10_000 }).toContain("Training");
  });

  it("compares runs, and keeps the view in the address", async () => {
    await write("slow", startEvent(), ...steps(40, (step) => 2 / step), endEvent(40));
    await write("deep/fast", startEvent(), ...steps(80, (step) => 1 / step), endEvent(80));
    await page.goto(studio.address);
    await page.getByRole("button", { name: "slow" }).click();
    await page.getByLabel("Compare deep/fast").check();
    const table = page.getByRole("table", { name: "Comparison" });
    await table.waitFor();
    expect(await table.getByRole("rowheader").allTextContents()).toEqual(["slow", "deep/fast"]);
    await expect.poll(() => table.locator("td.best").allTextContents()).toEqual(["0.0125"]);
    await page.reload();
    await table.waitFor();
    expect(await page.getByLabel("Compare deep/fast").isChecked()).toBe(true);
    await page.getByLabel("Compare deep/fast").uncheck();
    await table.waitFor({ state: "detached" });
  });

  it("is used by keys alone, in light and in dark", async () => {
    await write("first", startEvent(), ...steps(30, (step) => 1 / step), endEvent(30));
    await page.goto(studio.address);
    await page.locator("mlx-training-monitor .status", { hasText: "Finished" }).waitFor();
    const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        let { activeElement } = document;
        while (activeElement?.shadowRoot?.activeElement) ({ activeElement } = activeElement.shadowRoot);
        return activeElement?.getAttribute("aria-label") ?? activeElement?.textContent ?? "";
      });
    const light = await background();
    const stops: string[] = [];
    for (let stop = 0; stop < 6; stop++) {
      await page.keyboard.press("Tab");
      stops.push(await focused());
      if (stop === 1) for (const _ of [1, 2]) await page.keyboard.press("ArrowRight");
    }
    expect(stops[0]).toBe("Go to the run");
    expect(stops[2]).toContain("first");
    expect(stops).toContain("Loss over steps");
    expect(await background()).not.toBe(light);
    await page.reload();
    expect(await background()).not.toBe(light);
  });
});
