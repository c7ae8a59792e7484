/** What the example promises of its training: it learns, repeats itself by its seed, keeps its weights, and reports. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as mx from "mlx-ts";
import { eventsFile, readRunEvents } from "mlx-ts/train";
import { beforeAll, describe, expect, it } from "vitest";
import { ClothingNetwork } from "../network.ts";
import { type Judgement, judge, stepsOf, trainNetwork } from "../training.ts";
import { bars, folderOf } from "./clothing.ts";

const options = { epochs: 3, batchSize: 20 };

async function train(seed: number): Promise<{ losses: readonly number[]; network: ClothingNetwork }> {
  mx.random.seed(seed);
  const network = new ClothingNetwork();
  const losses: number[] = [];
  for await (const event of trainNetwork(network, bars(200), options))
    if (event.kind === "step") losses.push(event.loss);
  return { losses, network };
}

describe("the network", () => {
  let first: Awaited<ReturnType<typeof train>>;
  let judgement: Judgement;

  beforeAll(async () => {
    first = await train(1);
    judgement = await judge(first.network, bars(60));
  });

  it("learns what tells kinds apart", () => {
    expect(first.losses).toHaveLength(stepsOf(200, options));
    expect(first.losses.at(-1)).toBeLessThan((first.losses[0] ?? 0) / 10);
    expect(judgement.accuracy).toBeGreaterThan(0.95);
    expect(judgement.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(60);
  });

  it("repeats itself for a seed, and not for another", async () => {
    expect((await train(1)).losses).toEqual(first.losses);
    expect((await train(2)).losses).not.toEqual(first.losses);
  });

  it("judges the same with saved weights", async () => {
    const bytes = await first.network.saveWeights();
    const restored = await new ClothingNetwork().loadWeights(bytes);
    expect(await judge(restored, bars(60))).toEqual(judgement);
  });
});

describe("the command", () => {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const run = (...given: readonly string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ["--import", "tsx", main, ...given]);

  it("trains, saves, reports, and judges what it saved", async () => {
    const folder = await folderOf(bars(100), bars(40));
    const [report, weights] = [join(folder, "report.html"), join(folder, "weights.safetensors")];
    const log = join(folder, "run");
    const common = ["--data", folder, "--report", report];
    const trained = await run(
      ...common,
      "--epochs",
      "1",
      "--batch-size",
      "20",
      "--device",
      "cpu",
      "--save",
      weights,
      "--log",
      log,
    );
    const events = readRunEvents(await readFile(join(log, eventsFile), "utf8"));
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "finished", step: 5 });
    const right = /[\d.]+ % of 40 test images right/;
    const judged = await run(...common, "--evaluate", weights);
    expect(judged.stdout.match(right)?.[0]).toBe(trained.stdout.match(right)?.[0]);
    const page = await readFile(report, "utf8");
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
    expect(page).not.toMatch(/@import|url\(/);
    expect(page).toContain("data-pixels");
  });

  it.each([
    [["--evaluate", "/nowhere.safetensors"], /^--evaluate \/nowhere.safetensors: .*ENOENT/],
    [["--speed", "9"], /Unknown option[\s\S]*--batch-size/],
  ])("says in a line what is wrong with %j", async (given, message) => {
    const folder = await folderOf(bars(20), bars(20));
    const refused = expect(run("--data", folder, ...given)).rejects;
    await refused.toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
    await refused.toMatchObject({ stderr: expect.not.stringMatching(/^\s+at /m) });
  });
});
