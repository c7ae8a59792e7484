/** Trains a small transformer on a book, character by character, lets it write, and writes a report. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as mx from "mlx-ts";
import { positiveNumber, runCommand, wholeNumber } from "../common/command.ts";
import { compareDevices, describeComparison, devices, selectDevice } from "../common/devices.ts";
import { escapeHtml, paragraph, plot, section } from "../common/html.ts";
import { formatCount, progressBar, RunningMean } from "../common/progress.ts";
import { writeReport } from "../common/report.ts";
import { CharacterModel, type ModelSize } from "./model.ts";
import { write } from "./sampling.ts";
import { type Corpus, readCorpus } from "./text.ts";
import { bitsOf, type TrainingOptions, trainModel, validator } from "./training.ts";

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const usage = `npm start -- [options]
  --device ${devices.join("|")}      where to compute
  --steps NUMBER        updates
  --batch-size NUMBER   windows of an update
  --layers NUMBER       blocks of attention and linear layers
  --width NUMBER        features of a character, a multiple of 32
  --context NUMBER      characters that the model looks back at
  --seed NUMBER         of the random numbers
  --text FILE           what to learn, plain text
  --prompt TEXT         what to write on from
  --length NUMBER       characters to write
  --temperature NUMBER  below 1, likely characters become likelier
  --top-k NUMBER        draws only from so many of the likeliest characters
  --save FILE           writes the trained weights there, as .safetensors or .npz
  --compare NUMBER      trains so many steps on every device, and compares the losses
  --report FILE         where the report goes`;

/** Windows that are judged during the training, and how often. */
const judgedWindows = 64;
const judgements = 10;

await runCommand(usage, async () => {
  const { values } = parseArgs({
    options: {
      device: { type: "string", default: "cpu" },
      steps: { type: "string", default: "600" },
      "batch-size": { type: "string", default: "32" },
      layers: { type: "string", default: "4" },
      width: { type: "string", default: "128" },
      context: { type: "string", default: "128" },
      seed: { type: "string", default: "0" },
      text: { type: "string", default: besides("data/moby-dick.txt") },
      prompt: { type: "string", default: "The whale" },
      length: { type: "string", default: "600" },
      temperature: { type: "string", default: "0.8" },
      "top-k": { type: "string", default: "20" },
      save: { type: "string" },
      compare: { type: "string" },
      report: { type: "string", default: besides("report.html") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(usage);
  const size = {
    layers: wholeNumber("layers", values.layers, 1),
    width: wholeNumber("width", values.width, 1),
    context: wholeNumber("context", values.context, 2),
  };
  const options = {
    steps: wholeNumber("steps", values.steps, 1),
    batchSize: wholeNumber("batch-size", values["batch-size"], 1),
  };
  const sampling = {
    length: wholeNumber("length", values.length, 0),
    temperature: positiveNumber("temperature", values.temperature),
    topK: wholeNumber("top-k", values["top-k"], 1),
  };
  const seed = wholeNumber("seed", values.seed, 0);
  const compare = values.compare === undefined ? null : wholeNumber("compare", values.compare, 1);
  await selectDevice(values.device);

  const corpus = await readCorpus(values.text, size.context);
  corpus.alphabet.encode(values.prompt); // what it lacks shows before anything is trained
  if (compare !== null) {
    const losses = (): Promise<readonly number[]> => firstLosses(corpus, size, { ...options, steps: compare }, seed);
    return console.log(describeComparison(await compareDevices(losses)));
  }
  mx.random.seed(seed);
  const model = new CharacterModel(corpus.alphabet.size, size);
  const started = performance.now();
  const history = await showTraining(model, corpus, options);
  const seconds = (performance.now() - started) / 1000;
  const bits = await validator(model, corpus.validation)();
  const result = `${bits.toFixed(3)} bits per character on the part that was not learned, after ${seconds.toFixed(0)} seconds on ${values.device}`;
  console.log(`  ${result}\n\n${values.prompt}`);
  if (values.save !== undefined) await model.saveWeights(values.save);

  const writingStarted = performance.now();
  let written = "";
  for await (const character of write(model, corpus.alphabet, values.prompt, sampling)) {
    written += character;
    process.stdout.write(character);
  }
  const rate = (1000 * sampling.length) / (performance.now() - writingStarted);
  await writeReport(values.report, {
    title: "A character-level GPT",
    lead: `${size.layers} layers, ${size.width} features, ${size.context} characters: ${result}.`,
    sections: [trainingSection(history), writingSection(values.prompt, written, sampling)],
  });
  console.log(`\n\n  ${formatCount(rate)} characters/s. Open the report: ${values.report}`);
});

/** What a training left behind, in bits per character. */
interface History {
  readonly losses: readonly number[];
  /** By step, counted from 1. */
  readonly validation: ReadonlyMap<number, number>;
}

/** Trains, drawing a bar. */
async function showTraining(model: CharacterModel, corpus: Corpus, options: TrainingOptions): Promise<History> {
  const { steps } = options;
  const losses: number[] = [];
  const validation = new Map<number, number>();
  const validate = validator(model, corpus.validation);
  const [loss, rate] = [new RunningMean(), new RunningMean()];
  const bar = progressBar("training");
  const every = Math.ceil(steps / judgements);
  let judged = "";
  for await (const event of trainModel(model, corpus.training, options)) {
    if (event.kind === "start") {
      const count = formatCount(corpus.training.length);
      console.log(`  ${formatCount(event.parameterCount)} parameters, ${count} characters to learn from`);
    } else if (event.kind === "step") {
      losses.push(bitsOf(event.loss));
      loss.add(bitsOf(event.loss));
      rate.add(event.samplesPerSecond * model.context);
      if (event.step % every === 0 || event.step === steps) {
        const bits = await validate(judgedWindows);
        validation.set(event.step, bits);
        judged = `, unseen ${bits.toFixed(3)}`;
      }
      bar(event.step, steps, `bits ${loss.value.toFixed(3)}${judged}  ${formatCount(rate.value)} characters/s`);
    }
  }
  return { losses, validation };
}

/** The losses of a training from `seed`. */
async function firstLosses(
  corpus: Corpus,
  size: ModelSize,
  options: TrainingOptions,
  seed: number,
): Promise<readonly number[]> {
  mx.random.seed(seed);
  const losses: number[] = [];
  const model = new CharacterModel(corpus.alphabet.size, size);
  for await (const event of trainModel(model, corpus.training, options)) {
    if (event.kind === "step") losses.push(event.loss);
  }
  return losses;
}

function trainingSection({ losses, validation }: History): string {
  const steps = losses.map((_, k) => k + 1);
  return section(
    "Training",
    plot({
      across: { label: "step", values: steps },
      up: { label: "bits per character" },
      curves: [
        { label: "windows of the step", values: losses.map((value) => Number(value.toPrecision(5))) },
        { label: "unseen windows", values: steps.map((step) => validation.get(step) ?? null) },
      ],
    }),
  );
}

function writingSection(
  prompt: string,
  written: string,
  { temperature, topK }: { readonly temperature: number; readonly topK: number },
): string {
  return section(
    "What it writes",
    paragraph(`Temperature ${temperature}, the likeliest ${topK} characters; the prompt is bold.`),
    `<pre><b>${escapeHtml(prompt)}</b>${escapeHtml(written)}</pre>`,
  );
}
