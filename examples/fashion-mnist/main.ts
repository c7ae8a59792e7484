/** Trains a convolutional network on Fashion-MNIST, shows how it goes, and writes a report on what it learned. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as mx from "mlx-ts";
import { runCommand, UserError, wholeNumber } from "../common/command.ts";
import { compareDevices, describeComparison, devices, selectDevice } from "../common/devices.ts";
import { formatCount, progressBar, RunningMean } from "../common/progress.ts";
import { writeReport } from "../common/report.ts";
import { findFolder, type LabelledImages, readPart } from "./dataset.ts";
import { ClothingNetwork } from "./network.ts";
import { describeConfusion, type History, percent, reportOf } from "./summary.ts";
import { judge, stepsOf, type TrainingOptions, trainNetwork } from "./training.ts";

const usage = `npm start -- [options]
  --device ${devices.join("|")}    where to compute
  --epochs NUMBER     passes over the training images
  --batch-size NUMBER images of an update
  --limit NUMBER      training images, and test images, at most
  --seed NUMBER       of the random numbers
  --data FOLDER       where the four files of Fashion-MNIST are
  --log FOLDER        writes the training there, for npx mlx-ts studio and TensorBoard
  --save FILE         writes the trained weights there, as .safetensors or .npz
  --evaluate FILE     trains nothing: judges the weights in this file
  --compare NUMBER    trains so many steps on every device, and compares the losses
  --report FILE       where the report goes`;

await runCommand(usage, async () => {
  const { values } = parseArgs({
    options: {
      device: { type: "string", default: "cpu" },
      epochs: { type: "string", default: "3" },
      "batch-size": { type: "string", default: "128" },
      limit: { type: "string", default: "60000" },
      seed: { type: "string", default: "0" },
      data: { type: "string" },
      log: { type: "string" },
      save: { type: "string" },
      evaluate: { type: "string" },
      compare: { type: "string" },
      report: { type: "string", default: fileURLToPath(new URL("report.html", import.meta.url)) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(usage);
  const options = {
    epochs: wholeNumber("epochs", values.epochs, 1),
    batchSize: wholeNumber("batch-size", values["batch-size"], 2),
    ...(values.log !== undefined && { log: values.log }),
  };
  const limit = wholeNumber("limit", values.limit, 10);
  const seed = wholeNumber("seed", values.seed, 0);
  const compare = values.compare === undefined ? null : wholeNumber("compare", values.compare, 1);
  await selectDevice(values.device);

  const folder = findFolder(values.data);
  if (compare !== null) {
    const training = await readPart(folder, "train", limit);
    console.log(describeComparison(await compareDevices(() => firstLosses(training, options, seed, compare))));
    return;
  }
  const test = await readPart(folder, "t10k", limit);
  mx.random.seed(seed);
  const network = new ClothingNetwork();
  let history: History | null = null;
  const started = performance.now();
  if (values.evaluate === undefined) {
    history = await showTraining(network, await readPart(folder, "train", limit), test, options);
  } else await load(network, values.evaluate);
  const seconds = (performance.now() - started) / 1000;
  const judgement = await judge(network, test);
  const origin = history
    ? `Trained on ${values.device} in ${seconds.toFixed(0)} seconds, ${options.epochs} passes in batches of ${options.batchSize}.`
    : `The weights of ${values.evaluate}.`;
  console.log(
    `\n${describeConfusion(judgement)}\n\n  ${percent(judgement.accuracy)} of ${test.count} test images right`,
  );
  if (values.save !== undefined) await network.saveWeights(values.save);
  await writeReport(values.report, reportOf(test, judgement, history, origin));
  console.log(`  ${origin}\n  Open the report: ${values.report}`);
});

/** Trains, drawing a bar for each pass, and tests after each. */
async function showTraining(
  network: ClothingNetwork,
  training: LabelledImages,
  test: LabelledImages,
  options: TrainingOptions,
): Promise<History> {
  const { epochs } = options;
  const stepsPerEpoch = stepsOf(training.count, options) / epochs;
  const history = { losses: [] as number[], accuracies: [] as number[], tests: [] as History["tests"][0][] };
  const [loss, accuracy, rate] = [new RunningMean(), new RunningMean(), new RunningMean()];
  let bar = progressBar(`pass 1 of ${epochs}`);
  for await (const event of trainNetwork(network, training, options)) {
    if (event.kind === "start") {
      console.log(`  ${formatCount(event.parameterCount)} parameters, ${formatCount(training.count)} images`);
    } else if (event.kind === "step") {
      history.losses.push(event.loss);
      history.accuracies.push(event.metrics.accuracy ?? Number.NaN);
      loss.add(event.loss);
      accuracy.add(event.metrics.accuracy ?? Number.NaN);
      rate.add(event.samplesPerSecond);
      const figures = `loss ${loss.value.toFixed(3)}  right ${percent(accuracy.value)}  ${formatCount(rate.value)} images/s`;
      bar(event.batch, stepsPerEpoch, figures);
    } else if (event.kind === "epoch") {
      const judgement = await judge(network, test);
      history.tests.push({ step: event.step, accuracy: judgement.accuracy });
      console.log(
        `  pass ${event.epoch}: loss ${event.loss.toFixed(4)}, test images right ${percent(judgement.accuracy)}, ` +
          `${(event.milliseconds / 1000).toFixed(1)} s, at most ${formatCount(mx.memory.peak / 1e6)} MB in arrays`,
      );
      bar = progressBar(`pass ${event.epoch + 1} of ${epochs}`);
    }
  }
  return history;
}

/** The losses of the first steps of a training from `seed`. */
async function firstLosses(
  training: LabelledImages,
  options: TrainingOptions,
  seed: number,
  steps: number,
): Promise<readonly number[]> {
  mx.random.seed(seed);
  const losses: number[] = [];
  for await (const event of trainNetwork(new ClothingNetwork(), training, options)) {
    if (event.kind !== "step") continue;
    losses.push(event.loss);
    if (losses.length === steps) break;
  }
  return losses;
}

async function load(network: ClothingNetwork, path: string): Promise<void> {
  try {
    await network.loadWeights(path);
  } catch (error) {
    throw error instanceof mx.MLXError ? new UserError(`--evaluate ${path}: ${error.message}`) : error;
  }
}
