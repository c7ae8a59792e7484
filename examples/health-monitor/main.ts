/** `npm start`: the health monitor learns from a real heart and real sensors, prints what it found, and writes a report. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as mx from "mlx-ts";
import { runArticle } from "./article.ts";
import { DataError } from "./csv.ts";
import { readRecording } from "./ecg/beats.ts";
import { runHeart } from "./ecg/experiment.ts";
import { writeReport } from "./report/report.ts";
import { runSensors } from "./sensors/experiment.ts";
import { readSensorNetwork } from "./sensors/network.ts";
import { describeArticle, describeHeart, describeSensors } from "./summary.ts";

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const usage = `npm start -- [options]
  --sensors FILE  a sensor network as CSV: mote_id, indoor, humidity, temperature, label (may be given again)
  --ecg FILE      an electrocardiogram as CSV: count, at 360 Hz
  --report FILE   where the report goes
  --seed NUMBER   of the random numbers`;

try {
  const { values } = parseArgs({
    options: {
      sensors: {
        type: "string",
        multiple: true,
        default: [besides("data/single-hop.csv"), besides("data/multi-hop.csv")],
      },
      ecg: { type: "string", default: besides("data/ecg-208.csv") },
      report: { type: "string", default: besides("report.html") },
      seed: { type: "string", default: "0" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) console.log(usage);
  else await run(values);
} catch (error) {
  const isUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof DataError) && !isUsage) throw error;
  console.error(isUsage ? `${error.message}\n${usage}` : error.message);
  process.exitCode = 1;
}

async function run(values: { sensors: string[]; ecg: string; report: string; seed: string }): Promise<void> {
  const startMilliseconds = performance.now();
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new DataError(`--seed "${values.seed}": not a seed; give a whole number that is not negative`);
  }
  // All files first: what is wrong with one shows before anything is trained.
  const networks = await Promise.all(values.sensors.map(readSensorNetwork));
  const millivolts = await readRecording(values.ecg);
  mx.random.seed(seed);

  console.log("\nHealth monitor\n\n1. The article's numbers");
  const article = await runArticle();
  console.log(describeArticle(article));

  console.log("\n2. Sensor anomalies: the first half of every mote's readings trains, the second half tests");
  const sensors = await runSensors(networks);
  console.log(`\n${describeSensors(sensors)}`);

  console.log("\n3. Abnormal heartbeats: an autoencoder learns the half of the beats that are most alike");
  const heart = await runHeart(millivolts);
  console.log(`\n${describeHeart(heart)}`);

  const seconds = (performance.now() - startMilliseconds) / 1000;
  await writeReport(values.report, { article, sensors, heart, seconds });
  console.log(`\nDone in ${seconds.toFixed(1)} s. Open the report: ${values.report}`);
}
