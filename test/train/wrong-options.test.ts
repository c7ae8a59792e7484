/** Training refuses what would spoil it before it begins, or as soon as it can be known. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import * as train from "mlx-ts/train";
import { describe, expect, it } from "vitest";
import type { OptionCase } from "../setup/wrong-options.ts";
import { called, describeOptions, expectRefusal, noFlags, noNumbers, noSizes } from "../setup/wrong-options.ts";

interface Batch {
  readonly x: mx.MLXArray;
  readonly y: mx.MLXArray;
}

const batches: readonly Batch[] = [{ x: mx.array([[1], [2]]), y: mx.array([[3], [5]]) }];
const lossOf = (model: nn.Linear, { x, y }: Batch): mx.MLXArray => nn.losses.mseLoss(model(x), y);
const parts = () => ({
  model: new nn.Linear(1, 1),
  optimizer: new optim.SGD({ learningRate: 0.1 }),
  loss: lossOf,
  batches,
});

/** Trains to the end, whatever the types say of `options`; at most 20 events. */
async function run(options: unknown): Promise<train.TrainEvent[]> {
  const events: train.TrainEvent[] = [];
  const given = Object(called(train.train, options));
  for await (const event of given) if (events.push(event) === 20) break;
  return events;
}

/** Trains with the parts and `options`. */
const runWith = (options: object): Promise<train.TrainEvent[]> => run({ ...parts(), ...options });

const flag: OptionCase = [false, ...noFlags];
const limit: OptionCase = [2, ...noNumbers, -1, 1.5];
const interval: OptionCase = [1, ...noNumbers, 0, -1, 1.5];
const take = (): readonly train.Sample[] => [];

describeOptions("train, with options", {
  "of its own,": {
    call: run,
    operation: "train",
    needed: parts(),
    options: {
      model: [new nn.Linear(1, 1), 3, null, new optim.SGD({ learningRate: 1 })],
      optimizer: [new optim.SGD({ learningRate: 1 }), "Adam", null, optim.SGD],
      loss: [lossOf, "mse", null, mx.array(1)],
      batches: [batches, 3, "abc", null, {}, Promise.resolve(batches)],
      epochs: limit,
      steps: limit,
      clipNorm: [1, ...noNumbers, 0, -1],
      stopOnNonFinite: flag,
      signal: [new AbortController().signal, new AbortController(), {}, true],
      checkpoint: [{}],
      resume: [undefined, {}, "file.safetensors", null],
      compiled: flag,
      donate: flag,
      watch: [{}],
      control: [new train.TrainingControl(), {}, "pause", null],
      log: [undefined, {}, 7, true, null],
    },
  },
  "for checkpoints,": {
    call: (checkpoint) => runWith({ checkpoint }),
    operation: "train.checkpoint",
    options: { everySteps: interval, everyEpochs: interval, path: [undefined, "x.safetensors"] },
  },
  "to watch,": {
    call: (watch) => runWith({ watch }),
    operation: "train.watch",
    options: { gradientNorm: flag, histograms: [{ everySteps: 1 }], samples: [{ everySteps: 1, take }], kernels: flag },
  },
  "for histograms,": {
    call: (histograms) => runWith({ watch: { histograms } }),
    operation: "train.watch.histograms",
    needed: { everySteps: 1 },
    options: { everySteps: interval, binCount: [4, ...noSizes] },
  },
  "for samples,": {
    call: (samples) => runWith({ watch: { samples } }),
    operation: "train.watch.samples",
    needed: { everySteps: 1, take },
    options: { everySteps: interval, take: [take, undefined, "model", () => 3] },
  },
  "for progress": {
    call: (options) => Object(called(train.withProgress, train.train(parts()), options)).next(),
    operation: "withProgress",
    options: { name: ["line", 7, null], output: [{ write: () => true }, {}, "stdout", null] },
  },
});

type Mistake = readonly [title: string, run: () => unknown, operation: string, message: string];
const scalar = (model: nn.Linear, { x }: Batch): mx.MLXArray => model(x).mean();
const fading = (step: mx.ArrayLike): mx.MLXArray => mx.sqrt(mx.subtract(1, mx.divide(step, 1)));

describe("a training is refused", () => {
  it.each<Mistake>([
    ["without anything", () => run(undefined), "train", "got undefined"],
    ["without batches", () => runWith({ batches: undefined }), "train", "batches is an iterable"],
    ["with a model before the options", () => run(new nn.Linear(1, 1)), "train", "takes options by name"],
    [
      "with a log of other options",
      () => runWith({ log: { directory: "run", everyStep: 3 } }),
      "train.log",
      '"everyStep" is no option',
    ],
    [
      "with a log of half a step",
      () => runWith({ log: { directory: "run", everySteps: 0.5 } }),
      "train.log",
      "everySteps is a whole number",
    ],
    ["with no batches", () => runWith({ batches: [] }), "train", "no batches"],
    [
      "with a function of no batches",
      () => runWith({ batches: () => undefined }),
      "train",
      "batches(0) cannot be iterated: it is undefined",
    ],
    [
      "with a function that is asynchronous",
      () => runWith({ batches: async () => batches }),
      "train",
      "it is a Promise; await it first",
    ],
    [
      "with a batch of no samples",
      () => runWith({ batches: [...batches, { x: mx.zeros([0, 1]), y: mx.zeros([0, 1]) }] }),
      "train",
      "batch 1 of epoch 0 has no samples: an array in it is [0, 1]",
    ],
    [
      "with losses in place of one",
      () => runWith({ loss: (model: nn.Linear, { x }: Batch) => model(x) }),
      "valueAndGrad",
      "must return a scalar",
    ],
    ["with a loss that is a number", () => runWith({ loss: () => 3 }), "valueAndGrad", "it returned a number"],
    [
      "with a loss that is a Promise",
      () => runWith({ loss: async () => mx.array(1) }),
      "train",
      "must not be asynchronous",
    ],
    ["with a list of no loss", () => runWith({ loss: () => [] }), "valueAndGrad", "it returned undefined"],
    [
      "with a metric that is a number",
      () => runWith({ loss: (...args: [nn.Linear, Batch]) => [scalar(...args), { accuracy: 3 }] }),
      "train",
      "accuracy is a scalar array, got 3",
    ],
    [
      "with a metric of several numbers",
      () => runWith({ loss: (...args: [nn.Linear, Batch]) => [scalar(...args), { all: args[1].x }] }),
      "train",
      "all is a scalar array",
    ],
    [
      "with a metric without name",
      () => runWith({ loss: (...args: [nn.Linear, Batch]) => [scalar(...args), mx.array(1)] }),
      "train",
      "metrics is an object of scalar arrays by name",
    ],
    [
      "with a schedule of NaN",
      () => runWith({ optimizer: new optim.SGD({ learningRate: () => mx.array(0).divide(0) }) }),
      "train",
      "the learning rate of step 1 is NaN",
    ],
    [
      "as soon as a schedule is NaN",
      () => runWith({ epochs: 5, optimizer: new optim.SGD({ learningRate: fading }) }),
      "train",
      "the learning rate of step 3 is NaN",
    ],
    [
      "a command that there is none of",
      () => Reflect.apply(train.TrainingControl.prototype.apply, new train.TrainingControl(), [{ kind: "halt" }]),
      "TrainingControl",
      'got "halt"',
    ],
    [
      "with a loss of no parameter",
      () => runWith({ loss: () => mx.array(1) }),
      "train",
      "depends on none of the parameters",
    ],
    [
      "from a place that is none",
      () => runWith({ resume: { arrays: {}, position: { step: -1, epoch: 0, batch: 0.5 }, lossSum: 0 } }),
      "train",
      "resume is a checkpoint",
    ],
    [
      "a checkpoint that is none",
      () => called(train.restoreCheckpoint, {}, new nn.Linear(1, 1), new optim.SGD({ learningRate: 1 })),
      "restoreCheckpoint",
      "checkpoint is a checkpoint, as loadCheckpoint gives",
    ],
    ["saving what is no checkpoint", () => called(train.saveCheckpoint, undefined), "saveCheckpoint", "got undefined"],
    ["a rate as text", () => called(new train.TrainingControl().setLearningRate, "1"), "TrainingControl", 'got "1"'],
    ["lines that are no text", () => called(train.readRunEvents, 3), "readRunEvents", "text is text, got 3"],
    [
      "a histogram of nothing",
      () => called(train.histogramOf, undefined, 2),
      "histogramOf",
      "values is a list of numbers",
    ],
    ["progress of no events", () => Object(called(train.withProgress, 3)).next(), "withProgress", "got 3"],
    ["a histogram of no bins", () => train.histogramOf([1, 2], 0), "histogramOf", "binCount"],
  ])("%s", async (title, refused, operation, message) => {
    await expectRefusal(refused, operation, message, title);
  });

  it("before a checkpoint is named that nothing would be written to", async () => {
    await expectRefusal(
      () => runWith({ checkpoint: { path: "x" } }),
      "train.checkpoint",
      "everySteps or everyEpochs",
      "",
    );
  });

  it.each([true, false])("before a step at which a schedule turns negative (compiled: %s)", async (compiled) => {
    const { model, ...others } = parts();
    const optimizer = new optim.SGD({
      learningRate: (step) => mx.multiply(mx.subtract(2, mx.asType(step, "float32")), 0.1),
    });
    const seen: unknown[] = [];
    const training = train.train({ ...others, model, optimizer, compiled, epochs: 9, clipNorm: 1 });
    const consume = async (): Promise<void> => {
      for await (const { kind, step } of training) if (kind === "step") seen[step] = await model.weight.tolist();
    };
    await expectRefusal(consume, "train", "the learning rate of step 4 is -0.1", "");
    expect(seen).toHaveLength(4);
    expect(await model.weight.tolist()).toEqual(seen[3]);
    expect(await optimizer.step.item()).toBe(3);
  });

  it("when a checkpoint is from behind batches that there are not", async () => {
    const two = [...batches, ...batches];
    const events = await runWith({ batches: two, checkpoint: { everySteps: 2 } });
    const [resume] = events.flatMap((event) => (event.kind === "checkpoint" ? [event.checkpoint] : []));
    const goOn = (given: readonly Batch[]): Promise<train.TrainEvent[]> =>
      runWith({ batches: given, resume, epochs: 2 });
    await expectRefusal(() => goOn(batches), "train", "behind batch 2 of epoch 0, and there are 1", "");
    expect((await goOn(two)).map(({ kind }) => kind)).toEqual(["start", "epoch", "step", "step", "epoch", "end"]);
  });

  it("before the first step, with the model as it was", async () => {
    const { model, ...others } = parts();
    const before = await model.weight.tolist();
    await expectRefusal(
      () => run({ ...others, model, steps: "3" }),
      "train",
      'steps is a whole number from 0, or Infinity, got "3"',
      "",
    );
    expect(await model.weight.tolist()).toEqual(before);
  });

  it("by the types, too", async () => {
    // @ts-expect-error a misspelt option
    await expect(train.train({ ...parts(), epoch: 3 }).next()).rejects.toThrow('"epoch" is no option of { model,');
    // @ts-expect-error a misspelt option of the checkpoints
    await expect(train.train({ ...parts(), checkpoint: { everyStep: 3 } }).next()).rejects.toThrow('"everyStep"');
  });
});
