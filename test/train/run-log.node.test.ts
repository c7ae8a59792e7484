/** Logs on a disk: what TensorBoard and the studio read, and what a training is asked to do there. */
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { RunEvent, TrainOptions } from "mlx-ts/train";
import { commandsFile, eventsFile, readRunEvents, runEventOf, train } from "mlx-ts/train";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { maskedChecksum, recordOf } from "../../src/train/tensorboard.ts";
import { type BoardEvent, doublesIn, messageIn, numberIn, readBoard, textIn } from "./board-reader.ts";
import { collect } from "./events.ts";

interface Batch {
  readonly x: mx.MLXArray;
  readonly y: mx.MLXArray;
}

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlx-ts-log-"));
});
afterEach(() => rm(folder, { recursive: true }));

function options(): TrainOptions<nn.Linear, Batch> {
  mx.random.seed(1);
  const batch = { x: mx.array([[1], [2]]), y: mx.array([[3], [5]]) };
  return {
    model: new nn.Linear(1, 1),
    optimizer: new optim.SGD({ learningRate: 0.05 }),
    loss: (model, { x, y }) => {
      const loss = nn.losses.mseLoss(model(x), y);
      return [loss, { error: loss }];
    },
    batches: Array.from({ length: 4 }, () => batch),
    epochs: 2,
    watch: {
      gradientNorm: true,
      histograms: { everySteps: 4, binCount: 6 },
      samples: { everySteps: 8, take: () => [{ input: "two", prediction: 5.25, target: 5 }] },
    },
  };
}

const writtenEvents = async (): Promise<RunEvent[]> =>
  readRunEvents(await readFile(join(folder, "run", eventsFile), "utf8"));

async function writtenRecords(): Promise<BoardEvent[]> {
  const names = (await readdir(join(folder, "run"))).filter((name) => name.includes("tfevents"));
  expect(names).toHaveLength(1);
  return readBoard(await readFile(join(folder, "run", names[0] ?? "")));
}

describe("train with a log", () => {
  it("writes every event as a line of JSON, and hands each on", async () => {
    const events = await collect(train({ ...options(), log: join(folder, "run"), checkpoint: { everySteps: 5 } }));
    expect(await writtenEvents()).toEqual(events.map(runEventOf));
    expect(events.map(({ kind }) => kind)).toContain("checkpoint");
  });

  it("writes records that TensorBoard reads", async () => {
    const events = await collect(train({ ...options(), log: pathToFileURL(join(folder, "run")) }));
    const [header, ...records] = await writtenRecords();
    expect(header).toMatchObject({ version: "brain.Event:2", values: [] });
    const scalars = new Map<string, number[]>();
    for (const { values, step, seconds } of records) {
      expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(600);
      for (const value of values) scalars.set(textIn(value, 1), [...(scalars.get(textIn(value, 1)) ?? []), step]);
    }
    const [eight, four] = [
      [1, 2, 3, 4, 5, 6, 7, 8],
      [4, 8],
    ];
    expect(Object.fromEntries(scalars)).toEqual({
      loss: eight,
      "metrics/error": eight,
      learningRate: eight,
      gradientNorm: eight,
      "performance/samplesPerSecond": eight,
      "performance/memory": eight,
      "epoch/loss": four,
      "parameters/weight": four,
      "parameters/bias": four,
      "gradients/weight": four,
      "gradients/bias": four,
      "samples/0": [8],
    });
    const losses = records.flatMap(({ values }) => values.filter((value) => textIn(value, 1) === "loss"));
    const steps = events.flatMap((event) => (event.kind === "step" ? [event.loss] : []));
    expect(losses.map((value) => numberIn(value, 2))).toEqual(steps.map(Math.fround));

    const values = records.flatMap((record) => record.values);
    const histogram = messageIn(values.findLast((value) => textIn(value, 1) === "gradients/weight") ?? [], 5);
    const told = events.findLast((event) => event.kind === "histograms");
    const { counts = [], minimum, maximum, mean } = told?.gradients.weight ?? {};
    expect([numberIn(histogram, 1), numberIn(histogram, 2), numberIn(histogram, 3)]).toEqual([minimum, maximum, 1]);
    expect(numberIn(histogram, 4)).toBe(mean);
    expect(doublesIn(histogram, 7)).toEqual(counts);
    expect(doublesIn(histogram, 6)).toHaveLength(counts.length);
    const sample = values.find((value) => textIn(value, 1) === "samples/0") ?? [];
    expect(textIn(messageIn(sample, 8), 8)).toBe("**input** two\n\n**prediction** 5.25\n\n**target** 5");
    expect(textIn(messageIn(messageIn(sample, 9), 1), 1)).toBe("text");
  });

  it("writes records of every length right", () => {
    const step: RunEvent = {
      ...{ kind: "step", step: 300, epoch: 0, batch: 1, loss: 1, learningRate: 1, sampleCount: 1, milliseconds: 1 },
      ...{ samplesPerSecond: 1, phases: { data: 0, record: 0, compute: 1 }, memory: { active: 1, peak: 1, cache: 0 } },
      metrics: {},
    };
    for (let length = 1; length < 700; length++) {
      const record = recordOf({ ...step, metrics: { ["a".repeat(length)]: 0.5 } }, 1);
      const [read] = readBoard(record ?? new Uint8Array(0));
      expect(read?.step).toBe(300);
      expect(read?.values.map((value) => textIn(value, 1).length)).toEqual([4, 8 + length, 12, 28, 18]);
      expect(numberIn(read?.values[1] ?? [], 2)).toBe(0.5);
    }
  });

  it("knows CRC-32C by its check value, masked", () => {
    const check = 0xe3069283; // of "123456789"
    const expected = (((check >>> 15) | (check << 17)) + 0xa282ead8) >>> 0;
    expect(maskedChecksum(new TextEncoder().encode("123456789"))).toBe(expected);
  });

  it("may write one step of several", async () => {
    await collect(train({ ...options(), log: { directory: join(folder, "run"), everySteps: 3 } }));
    const steps = (await writtenEvents()).filter(({ kind }) => kind === "step");
    expect(steps.map(({ step }) => step)).toEqual([3, 6]);
    await expect(collect(train({ ...options(), log: { directory: folder, everySteps: 0 } }))).rejects.toThrow(
      "everySteps",
    );
  });

  it("does what is appended to its commands, and nothing of what was asked before", async () => {
    await collect(train({ ...options(), steps: 1, log: join(folder, "run") }));
    const commands = join(folder, "run", commandsFile);
    await writeFile(commands, '{"kind":"stop"}\n');
    const log = { ...options(), steps: 1e6, log: join(folder, "run") };
    const kinds: string[] = [];
    let isAsked = false;
    for await (const event of train({ ...log, epochs: 1e6, watch: {} })) {
      kinds.push(event.kind);
      if (event.kind === "step" && !isAsked) {
        isAsked = true;
        await appendFile(
          commands,
          '{"kind":"dance"}\nno JSON\n{"kind":"learningRate","learningRate":0.25}\n{"kind":"pause"}\n',
        );
      }
      if (event.kind === "pause") setTimeout(() => void appendFile(commands, '{"kind":"stop"}\n'), 10);
    }
    expect(kinds.filter((kind) => kind !== "step" && kind !== "epoch")).toEqual(["start", "pause", "resume", "end"]);
    const written = await writtenEvents();
    expect(written.at(-1)).toMatchObject({ kind: "end", reason: "aborted" });
  });

  it("notes that a training was left, or has failed", async () => {
    for await (const event of train({ ...options(), log: join(folder, "run") })) if (event.kind === "step") break;
    expect((await writtenEvents()).at(-1)).toMatchObject({ kind: "end", reason: "aborted", step: 1 });
    const failing = {
      ...options(),
      batches: (): Batch[] => {
        throw new Error("no more data");
      },
    };
    await expect(collect(train({ ...failing, log: join(folder, "run") }))).rejects.toThrow("no more data");
    expect((await writtenEvents()).at(-1)).toMatchObject({ kind: "failure", message: "no more data" });
  });

  it("refuses a directory that another training writes to, and goes on where one was killed", async () => {
    const log = join(folder, "run");
    const first = train({ ...options(), epochs: 1e6, log });
    await first.next();
    const second = train({ ...options(), log });
    const error = await second.next().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(mx.ArgumentError);
    expect(String(error)).toContain(`another training writes to ${log}; give each a directory of its own`);
    await first.next();
    await first.return();
    expect((await writtenEvents()).map(({ kind }) => kind)).toEqual(["start", "step", "end"]);
    await writeFile(join(log, "training.lock"), "1 of a training that was killed");
    await collect(train({ ...options(), steps: 1, log }));
    expect((await writtenEvents()).at(-1)).toMatchObject({ kind: "end", reason: "finished" });
    expect(await readdir(log)).not.toContain("training.lock");
  });

  it("is the older one's where two begin at once", async () => {
    const log = join(folder, "run");
    let isRefused = false;
    // Each goes on until the other is refused: one that ended before would leave the directory to the later one.
    const follow = async (): Promise<void> => {
      try {
        for await (const _ of train({ ...options(), epochs: 1_000_000, log })) if (isRefused) break;
      } finally {
        isRefused = true;
      }
    };
    const ends = await Promise.allSettled([follow(), follow()]);
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await readdir(log)).not.toContain("training.lock");
  });
});

describe("lines of events", () => {
  it("bring numbers back that JSON lacks, and leave texts alone", async () => {
    const log = join(folder, "run");
    const nan = { ...options(), loss: (model: nn.Linear, { x }: Batch) => model(x).sum().mul(Number.NaN) };
    const samples = { everySteps: 1, take: () => [{ prediction: "NaN", target: Number.NEGATIVE_INFINITY }] };
    await collect(train({ ...nan, steps: 1, watch: { samples }, log }));
    const written = await writtenEvents();
    expect(written.find(({ kind }) => kind === "step")).toMatchObject({ loss: Number.NaN });
    expect(written.find(({ kind }) => kind === "nonFinite")).toMatchObject({ step: 1, loss: Number.NaN });
    expect(written.find(({ kind }) => kind === "samples")).toMatchObject({
      samples: [{ prediction: "NaN", target: "-Infinity" }],
    });
  });

  it("are read up to the last whole one; what is no event is refused", () => {
    const line = '{"kind":"pause","step":1,"epoch":0,"batch":1}\n';
    expect(readRunEvents(`${line}${line}{"kind":"pau`)).toHaveLength(2);
    expect(() => readRunEvents(`${line}{"kind"\n`)).toThrow("line 2 is no JSON");
    expect(() => readRunEvents('{"kind":"dance","step":1,"epoch":0,"batch":1}\n')).toThrow("line 1 is no event");
  });
});
