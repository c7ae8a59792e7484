/** What the app promises, in a headless browser. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as mx from "mlx-ts";
import type { Page } from "playwright";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readSensorNetwork } from "../files.ts";
import { runsOf } from "../sensors/metrics.ts";
import { servePage } from "../web/serve.ts";
import { fewestToLearn } from "../web/sources/source.ts";
import {
  countKeptTrainings,
  type Driver,
  fakeStrap,
  learn,
  openApp,
  openCsv,
  picturesOf,
  startDriver,
} from "./page-driver.ts";

/** A quiet sensor with one jump, as CSV. */
function tableOf(rows: number, jumpAt: number): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const value = 20 + Math.sin(row / 9) + 0.05 * Math.sin(row * 1.7) + (row >= jumpAt && row < jumpAt + 12 ? 5 : 0);
    return value.toFixed(3);
  });
  return `pressure\n${lines.join("\n")}\n`;
}

describe("the app", () => {
  let driver: Driver;
  let page: Page;
  const outside: string[] = [];

  beforeAll(async () => {
    driver = await startDriver();
  });
  afterAll(() => driver.close());

  beforeEach(async () => {
    const context = await driver.browser.newContext();
    page = await context.newPage();
    page.on("request", (request) => {
      if (!request.url().startsWith(driver.address) && !/^(blob|data):/.test(request.url()))
        outside.push(request.url());
    });
    await openApp(page, driver.address);
    return () => context.close();
  });

  it("shares memory with its threads, and asks nobody else for anything", async () => {
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await learn(page, 2);
    expect(outside).toEqual([]);
  });

  it("keeps drawing the stream while it learns", async () => {
    await page.getByLabel("Passes").fill("10000");
    await page.getByRole("button", { name: "Learn" }).click();
    await page
      .getByText(/epoch ([2-9]|\d\d|\d,)/)
      .first()
      .waitFor();
    const before = await picturesOf(page);
    await expect.poll(() => picturesOf(page), { timeout: 20_000 }).toBeGreaterThan(before + 30);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Learn anew" }).waitFor();
  });

  it("marks the labelled event of a sensor and no other", async () => {
    await page.getByRole("button", { name: "Single-hop network" }).click();
    await page.getByRole("heading", { name: "Single-hop network" }).waitFor();
    await learn(page, 20);
    const rows = page.locator("#alarm-rows tr");
    await expect.poll(() => rows.count()).toBe(1);
    expect(await rows.first().locator("td").last().textContent()).toBe("yes");
    const { motes } = await readSensorNetwork(fileURLToPath(new URL("../data/single-hop.csv", import.meta.url)));
    const [event] = runsOf(motes[0]?.labels ?? new Uint8Array(0));
    const [hours = 0, minutes = 0, seconds = 0] = (await rows.first().locator("button").innerText())
      .split(":")
      .map(Number);
    const reading = (3600 * hours + 60 * minutes + seconds) / 5;
    expect(reading).toBeGreaterThanOrEqual(event?.start ?? Number.NaN);
    expect(reading).toBeLessThan(event?.end ?? Number.NaN);
  });

  it("learns heartbeats on the GPU as on the CPU, and marks those unlike them", async () => {
    const fact = async (name: string): Promise<string | null> => {
      const value = page.locator("#facts dt", { hasText: new RegExp(`^${name}$`) }).locator("+ dd");
      return value.textContent();
    };
    await page.getByText("GPU", { exact: true }).click();
    await expect.poll(() => page.locator("#device-remark").textContent()).toMatch(/swiftshader/i);
    await learn(page, 8);
    expect(await fact("Took")).toMatch(/on the GPU$/);
    const loss = Number(await fact("Loss"));
    await expect.poll(() => page.locator("#alarm-rows button").count(), { timeout: 20_000 }).toBeGreaterThan(0);

    await page.getByText("CPU", { exact: true }).click();
    await learn(page, 8);
    await expect.poll(() => fact("Took")).not.toMatch(/on the GPU$/);
    // Eight passes from the same start: what is the same to a percent has learned the same.
    expect(Math.abs(loss / Number(await fact("Loss")) - 1)).toBeLessThan(0.01);
    expect(loss).toBeLessThan(0.02);
  }, 200_000);

  it("learns from a table of the user, and marks where it jumps", async () => {
    await openCsv(page, "mine.csv", tableOf(2000, 1500));
    await page.getByRole("heading", { name: "mine.csv" }).waitFor();
    await learn(page, 20);
    // The rows are drawn with the next picture.
    await expect.poll(() => page.locator("#alarm-rows button").count(), { timeout: 20_000 }).toBeGreaterThan(0);
    const times = await page.locator("#alarm-rows button").allInnerTexts();
    for (const time of times) {
      const [minutes = 0, seconds = 0] = time.split(":").map(Number);
      expect(Math.abs(60 * minutes + seconds - 1506)).toBeLessThan(40);
    }
  });

  it("shows the inside of a training, every name within its box", async () => {
    await learn(page, 2);
    await page.locator("summary", { hasText: "Inside the training" }).click();
    await page.locator("#inside-monitor summary", { hasText: "Show the graph" }).click();
    const widths = await page.locator("#inside-monitor .vertex").evaluateAll((vertices) =>
      vertices.map((vertex) => {
        const widthOf = (name: string): number => vertex.querySelector(name)?.getBoundingClientRect().width ?? 0;
        return { text: widthOf("text.name"), box: widthOf("rect") };
      }),
    );
    expect(widths.length).toBeGreaterThan(5);
    for (const { text, box } of widths) expect(text).toBeLessThan(box - 8);
  });

  it("has everything again after a reload", async () => {
    await page.getByRole("button", { name: "Multi-hop network" }).click();
    await page.getByRole("heading", { name: "Multi-hop network" }).waitFor();
    await page.getByLabel("Sensor").selectOption("2");
    await learn(page, 20);
    // They are shown with one of the next pictures.
    await expect.poll(() => page.locator("#alarm-count").textContent()).not.toBe("");
    const alarms = await page.locator("#alarm-count").textContent();
    await page.locator("#seek").evaluate((seek: HTMLInputElement) => {
      seek.value = "9000";
      seek.dispatchEvent(new Event("input"));
    });
    await page.locator("#play").click();
    await page.waitForTimeout(500); // the browser writes the settings
    await openApp(page, driver.address);
    await page.getByRole("heading", { name: "Multi-hop network" }).waitFor();
    await page.getByRole("button", { name: "Learn anew" }).waitFor();
    await expect.poll(() => page.locator("#alarm-count").textContent()).toBe(alarms);
    expect(await page.getByLabel("Sensor").inputValue()).toBe("2");
    await expect.poll(() => page.locator("#clock").textContent()).toMatch(/^2:/);
  });

  it("goes on with a learning that the page was closed on, and keeps the user's table", async () => {
    await openCsv(page, "mine.csv", tableOf(2000, 1500));
    await page.getByRole("heading", { name: "mine.csv" }).waitFor();
    await page.getByLabel("Passes").fill("10000");
    await page.getByRole("button", { name: "Learn" }).click();
    await expect.poll(() => page.evaluate(countKeptTrainings), { timeout: 20_000 }).toBe(1);
    await openApp(page, driver.address);
    await page.getByRole("heading", { name: "mine.csv" }).waitFor();
    await page.getByRole("button", { name: /^Go on after pass/ }).click();
    const place = page.locator("#dashboard .place");
    await expect.poll(() => place.textContent()).toMatch(/epoch [\d,]+ of 10,000/);
    expect(await place.textContent()).not.toMatch(/epoch 1 of/);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: /^Go on after pass/ }).waitFor();
  });

  it("lets a learning go on later when another source is opened meanwhile", async () => {
    await page.getByLabel("Passes").fill("10000");
    await page.getByRole("button", { name: "Learn" }).click();
    await expect.poll(() => page.evaluate(countKeptTrainings), { timeout: 20_000 }).toBe(1);
    await page.getByRole("button", { name: "Single-hop network" }).click();
    await page.getByRole("heading", { name: "Single-hop network" }).waitFor();
    await page.getByRole("button", { name: "Learn", exact: true }).waitFor();
    expect(await page.locator("#alarm-count").textContent()).toBe("");
    await page.getByRole("button", { name: "Heart", exact: true }).click();
    await page.getByRole("button", { name: /^Go on after pass/ }).waitFor();
  });

  it("works when its server is gone", async () => {
    const served = await servePage(0);
    await openApp(page, served.address);
    await page.getByText("works offline").waitFor();
    await served.close();
    await openApp(page, served.address);
    await page.getByRole("button", { name: "Single-hop network" }).click();
    await page.getByRole("heading", { name: "Single-hop network" }).waitFor();
    await learn(page, 5);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  });

  it("says in one line what is wrong with a table, and lives", async () => {
    const mistakes: readonly (readonly [string, string])[] = [
      ["a,b\n1,2\n3,\n", "mine.csv, row 3: b is missing; fill it in or delete the row"],
      [`a\n${"1\n".repeat(300)}two\n`, 'mine.csv, row 302: a is "two", not a number; correct it or delete the row'],
      ["a\n1\n2\n", "mine.csv, row 3: ends after 2 readings; record at least 240, half of them to learn from"],
      ["a,b\nx,y\nz,w\n", "mine.csv: no column of numbers; give each sensor a column with one reading in every row"],
      ["", "mine.csv: no column of numbers; give each sensor a column with one reading in every row"],
      ["\u0000\u0001\u0002", "mine.csv: holds no text; save the table as CSV"],
      [`a\n${"1".repeat(150_000)}`, "mine.csv, row 1: longer than 100,000 characters; save a table as CSV"],
    ];
    for (const [content, message] of mistakes) {
      await openCsv(page, "mine.csv", content);
      await expect.poll(() => page.locator("#notice-text").textContent()).toBe(message);
    }
    await openCsv(page, "mine.csv", Buffer.from([97, 10, 0xff, 0xfe, 0xfd]));
    await expect.poll(() => page.locator("#notice-text").textContent()).toContain("is no text in UTF-8");
    const before = await picturesOf(page);
    await expect.poll(() => picturesOf(page)).toBeGreaterThan(before);
    expect(await page.locator("#source-title").textContent()).toBe("Heart");
  });

  it("shows what is wrong to who has scrolled down on a phone, too", async () => {
    await page.setViewportSize({ width: 390, height: 600 });
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await openCsv(page, "mine.csv", "a\n1\n2\n");
    const isSeen = (): Promise<boolean> =>
      page.locator("#notice").evaluate((notice) => {
        const { top, bottom } = notice.getBoundingClientRect();
        return top >= 0 && bottom > top && bottom <= innerHeight;
      });
    await expect.poll(isSeen).toBe(true);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });

  it("reads 200 MB as a stream while it draws, and can be told to stop", async () => {
    // Long rows, so that the test takes seconds; their text is read and passed over.
    const choose = (): Promise<void> =>
      page.evaluate(() => {
        const row = `${"measured by the sensor in the cellar, ".repeat(3)}20.5\n`;
        const part = new Blob([row.repeat(10_000)]);
        const parts = Array.from({ length: Math.ceil(2e8 / part.size) }, () => part);
        const files = new DataTransfer();
        files.items.add(new File(["where,what,who,value\n", ...parts], "large.csv"));
        const input = document.querySelector<HTMLInputElement>("#file");
        if (input) input.files = files.files;
        input?.dispatchEvent(new Event("change"));
      });
    await choose();
    await page.getByText(/Reading large.csv: [\d,]+ rows/).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.locator("#loading").waitFor({ state: "hidden" });
    expect(await page.locator("#source-title").textContent()).toBe("Heart");

    await choose();
    const before = await picturesOf(page);
    await page.getByRole("heading", { name: "large.csv" }).waitFor();
    expect(await picturesOf(page)).toBeGreaterThan(before + 10);
    expect(await page.locator("#source-remark").textContent()).toBe("1,690,000 readings of your own.");
  });

  it("leaves broken rows out when it is told to", async () => {
    await openCsv(page, "mine.csv", `${tableOf(600, 500)}\nbroken\n`);
    await page.getByRole("button", { name: "Leave such rows out" }).click();
    await expect.poll(() => page.locator("#source-remark").textContent()).toContain("2 rows were left out");
  });

  it("saves weights that load, and a report that loads nothing", async () => {
    await page.getByRole("button", { name: "Single-hop network" }).click();
    await page.getByRole("heading", { name: "Single-hop network" }).waitFor();
    await learn(page, 20);
    const save = async (name: string): Promise<string> => {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
      return download.path();
    };
    const { arrays, metadata } = await mx.loadSafetensors(await readFile(await save("Save weights")));
    expect(arrays["first.weight"]?.shape).toEqual([32, 32]);
    expect(JSON.parse(metadata.calibration ?? "{}").rules.length).toBe(4);
    const report = await readFile(await save("Save report"), "utf8");
    expect(report).not.toMatch(/<(script|link|img)\b|@import|url\(/);
    expect(report).toContain("<h2>Mote 4, outdoor</h2>");
    expect(report).toMatch(/<td>1 of 1<\/td>/);
  });

  it("shows what a heart-rate strap measures, and learns from it", async () => {
    await page.evaluate(fakeStrap, fewestToLearn + 20);
    await page.getByRole("button", { name: "Heart-rate strap" }).click();
    await page.getByRole("heading", { name: "Test strap" }).waitFor();
    await expect.poll(() => page.locator("#readout").textContent()).toMatch(/Heart rate[67]\d/);
    await expect.poll(() => page.getByRole("button", { name: "Learn" }).isEnabled()).toBe(true);
    await learn(page, 5);
    await page.getByText("The strap is out of reach.").waitFor();
  });

  it("says so where there is no Bluetooth", async () => {
    await page.evaluate(() => Object.defineProperty(navigator, "bluetooth", { value: undefined, configurable: true }));
    await page.getByRole("button", { name: "Heart-rate strap" }).click();
    await page.getByText("This browser has no Web Bluetooth").waitFor();
  });
});

describe("npm start", () => {
  it("serves the app to this machine after the report, and ends cleanly when it is told to", async () => {
    const folder = await mkdtemp(join(tmpdir(), "health-monitor-"));
    const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
    const tsx = here("../../node_modules/tsx/dist/cli.mjs");
    const run = spawn(
      process.execPath,
      [tsx, here("main.ts"), "--port", "0", "--report", join(folder, "report.html")],
      {
        cwd: here("../.."),
      },
    );
    const ended = new Promise<number | null>((resolve) => run.once("close", resolve));
    let printed = "";
    run.stdout.on("data", (text) => {
      printed += text;
    });
    await expect.poll(() => printed, { timeout: 50_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+\/ /);
    const { headers } = await fetch(/http:\S+/.exec(printed)?.[0] ?? "");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    run.kill("SIGINT");
    expect(await ended).toBe(0);
  });
});
