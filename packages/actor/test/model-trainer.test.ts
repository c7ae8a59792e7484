/** Training in a worker: the same bits as here, weights without copies, and a life after a crash. */
import { ModelServer, ModelTrainer, WorkerError } from "@mlx-ts/actor";
import * as mx from "mlx-ts";
import { type StepEvent, train } from "mlx-ts/train";
import { sharing } from "mlx-ts/worker";
import { describe, expect, it } from "vitest";
import { anyWorker } from "../../../test/setup/workers.ts";
import { LineModel, type LineSettings, lineData, lineTraining } from "./line-model.ts";

const start = async (
  settings: LineSettings,
  options: { restarts?: number; threads?: number } = {},
): Promise<ModelTrainer<typeof lineTraining>> =>
  ModelTrainer.start<typeof lineTraining>(
    () =>
      anyWorker(
        () => new Worker(new URL("./line.worker.ts", import.meta.url), { type: "module" }),
        new URL("./line.worker.ts", import.meta.url),
      ),
    { parameters: [await lineData(), settings], ...options },
  );

/** The losses and the final weights of a training on this thread. */
async function trainHere(steps: number): Promise<{ losses: number[]; weights: mx.NestedList[] }> {
  const options = lineTraining(await lineData(), { steps });
  const losses: number[] = [];
  for await (const event of train(options)) if (event.kind === "step") losses.push(event.loss);
  return { losses, weights: await valuesOf(options.model.parameters()) };
}

async function valuesOf(parameters: object): Promise<mx.NestedList[]> {
  const leaves = mx.treeFlatten(parameters).map(([, leaf]) => leaf);
  return Promise.all(leaves.flatMap((leaf) => (leaf instanceof mx.MLXArray ? [leaf.tolist()] : [])));
}

async function trainThere(trainer: ModelTrainer<typeof lineTraining>): Promise<StepEvent[]> {
  const steps: StepEvent[] = [];
  for await (const event of trainer.run()) if (event.kind === "step") steps.push(event);
  return steps;
}

describe("a training in a worker, with a model server", () => {
  it("leaves nothing behind", async () => {
    const before = sharing();
    const data = await lineData();
    const trainer = await ModelTrainer.start<typeof lineTraining>(
      () =>
        anyWorker(
          () => new Worker(new URL("./line.worker.ts", import.meta.url), { type: "module" }),
          new URL("./line.worker.ts", import.meta.url),
        ),
      { parameters: [data, { steps: 20 }] },
    );
    const server = new ModelServer(trainer, new LineModel(), (m, inputs: mx.MLXArray) => m(inputs));
    const checkpoints: mx.MLXArray[] = [];
    for await (const event of trainer.run()) {
      if (event.kind === "checkpoint") checkpoints.push(...Object.values(event.checkpoint.arrays));
      if (event.kind === "step") (await server.predict(data.x)).dispose();
    }
    server.dispose();
    await trainer.dispose();
    for (const array of [...checkpoints, data.x, data.y]) array.dispose();
    expect(sharing()).toEqual(before);
  });
});

describe("a training in a worker", () => {
  it("gives the same losses and weights as here, to the bit", async () => {
    const here = await trainHere(40);
    await using trainer = await start({ steps: 40 });
    const steps = await trainThere(trainer);
    expect(steps.map(({ loss }) => loss)).toEqual(here.losses);
    expect(trainer.weights.version).toBe(40);
    const model = new LineModel();
    model.update(Object(mx.treeUnflatten(Object.entries(trainer.weights.parameters))));
    expect(await valuesOf(model.parameters())).toEqual(here.weights);
  });

  it("runs on while nobody reads, pauses, resumes and takes another learning rate", async () => {
    await using trainer = await start({ steps: 200 });
    const events: string[] = [];
    let rate = 0;
    for await (const event of trainer.run()) {
      if (event.kind === "step") rate = event.learningRate;
      else if (event.kind !== "checkpoint") events.push(event.kind);
      if (event.kind === "start") await trainer.pause();
      if (event.kind === "pause") {
        await trainer.setLearningRate(0.125);
        await trainer.apply({ kind: "resume" });
      }
    }
    expect(events.filter((kind) => kind !== "epoch")).toEqual(["start", "pause", "resume", "end"]);
    expect(rate).toBe(0.125);
  });

  it("ends when the loop is left, and can be aborted", async () => {
    await using trainer = await start({ steps: 1_000_000 });
    for await (const event of trainer.run()) if (event.kind === "step" && event.step >= 3) break;
    const controller = new AbortController();
    let last = "";
    for await (const event of trainer.run({ signal: controller.signal })) {
      if (event.kind === "step") controller.abort();
      last = event.kind;
    }
    expect(last).toBe("end");
  });

  it("goes on from its last checkpoint when its worker fails, to the same bits", async () => {
    const here = await trainHere(30);
    await using trainer = await start({ steps: 30, crashAt: 18 }, { restarts: 5, threads: 1 });
    const losses: number[] = [];
    const begun: number[] = [];
    const kept: number[] = [0]; // a worker may fail with a checkpoint on its way, which is then lost
    for await (const event of trainer.run()) {
      if (event.kind === "start") begun.push(event.step);
      if (event.kind === "start") expect(event.step).toBe(kept.at(-1));
      if (event.kind === "checkpoint") kept.push(event.checkpoint.position.step);
      if (event.kind === "step") losses[event.step - 1] = event.loss;
    }
    expect(begun.length).toBeGreaterThan(1);
    expect(begun.at(-1)).toBeGreaterThan(0);
    expect(losses).toEqual(here.losses);
  });

  it("that may not be restarted fails with a WorkerError", async () => {
    const trainer = await start({ steps: 30, crashAt: 18 }, { threads: 1 });
    await expect(trainThere(trainer)).rejects.toBeInstanceOf(WorkerError);
    await trainer.dispose();
  });
});

describe("a trainer is refused", () => {
  it.each<readonly [title: string, options: object, message: RegExp]>([
    ["with a misspelt option", { restart: 1 }, /ModelTrainer: "restart" is no option of { parameters, threads,/],
    ["with half a restart", { restarts: 0.5 }, /ModelTrainer: restarts is a whole number from 0, got 0\.5/],
    ["with checkpoints after no steps", { checkpointEverySteps: 0 }, /checkpointEverySteps is a whole number from 1/],
  ])("%s", async (_, options, message) => {
    await expect(start({ steps: 1 }, options)).rejects.toThrow(message);
  });

  it("to run with a misspelt option", async () => {
    await using trainer = await start({ steps: 1 }, { threads: 1 });
    const options: object = { resumes: null };
    await expect(trainer.run(options).next()).rejects.toThrow(/"resumes" is no option of { signal, resume }/);
  });
});

describe("a model server", () => {
  it("predicts with one version of all weights, the newest, without copies", async () => {
    const { x } = await lineData();
    await using trainer = await start({ steps: 150 });
    const model = new LineModel();
    using server = new ModelServer(trainer, model, (m, inputs: mx.MLXArray) => m(inputs));
    const versions: number[] = [];
    const check = async (): Promise<void> => {
      const prediction = await server.predict(x);
      versions.push(server.version);
      // The same weights in another model of their own give the same bits.
      const again = new LineModel();
      again.update(Object(mx.treeUnflatten(Object.entries(model.parameters()))));
      again.eval();
      expect(await again(x).tolist()).toEqual(await prediction.tolist());
    };
    await check();
    for await (const event of trainer.run()) if (event.kind === "step" && event.step % 30 === 0) await check();
    await check();
    expect(versions[0]).toBe(0);
    expect(versions.at(-1)).toBe(150);
    expect(versions.toSorted((a, b) => a - b)).toEqual(versions);
    const [mine, trained] = [model.second.weight, trainer.weights.parameters["second.weight"]];
    expect(mine).toBe(trained);
  });
});
