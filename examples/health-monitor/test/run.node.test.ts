/** The example's main promises, end to end on the engine and the committed recordings. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as mx from "mlx-ts";
import { beforeAll, describe, expect, it } from "vitest";
import { type ArticleResult, runArticle } from "../article.ts";
import { type HeartResult, runHeart } from "../ecg/experiment.ts";
import { readRecording, readSensorNetwork } from "../files.ts";
import { writeReport } from "../report/report.ts";
import { runSensors, type SensorResult } from "../sensors/experiment.ts";
import { type Counts, f1Of } from "../sensors/metrics.ts";

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

describe("the health monitor", () => {
  let article: ArticleResult;
  let sensors: SensorResult;
  let heart: HeartResult;

  beforeAll(async () => {
    mx.random.seed(1);
    const paths = ["data/single-hop.csv", "data/multi-hop.csv"];
    article = await runArticle();
    sensors = await runSensors(await Promise.all(paths.map((path) => readSensorNetwork(here(path)))));
    heart = await runHeart(await readRecording(here("data/ecg-208.csv")));
  });

  it("gives the article's numbers", () => {
    expect(article.scaled).toEqual([105, 108, 112.5, 120, 102]);
    expect(article.loss).toBe(11772.25);
    expect(article.gradient).toBe(15841);
    expect(article.scales.at(-1)).toBeCloseTo(1 / 73, 6);
  });

  it("finds every labelled sensor event with an F1 of at least 0.8, and does better than the baselines", () => {
    const [deviation, linear, sustainedLinear, , network] = sensors.detectors.map(({ counts }) => counts);
    const score = (counts: Counts | undefined): number => (counts ? f1Of(counts) : Number.NaN);
    expect(network?.eventsFound).toBe(3);
    expect(network?.events).toBe(3);
    expect(score(network)).toBeGreaterThanOrEqual(0.8);
    expect(score(network)).toBeGreaterThan(score(sustainedLinear));
    expect(score(network)).toBeGreaterThan(score(linear));
    expect(score(deviation)).toBeLessThan(0.1);
  });

  it("ranks the wide beats first", () => {
    expect(heart.wideCount).toBeGreaterThan(100);
    expect(heart.wideAmongFirst).toBeGreaterThan(0.85 * heart.wideCount);
    expect(heart.ranking[0]?.isAbnormal).toBe(true);
  });

  it("writes a report that loads nothing from elsewhere", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "health-monitor-")), "report.html");
    await writeReport(path, { article, sensors, heart, seconds: 1 });
    const page = await readFile(path, "utf8");
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
    expect(page).not.toMatch(/@import|url\(/);
    expect(page).toContain("11772.25");
    const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? "";
    expect(Object.keys(JSON.parse(data))).toContain("motes");
  });
});
