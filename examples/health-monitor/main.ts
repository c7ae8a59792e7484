/** `npm start`: the health monitor learns from real recordings, prints what it found, writes a report, and serves the app. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as mx from "mlx-ts";
import { runCommand, wholeNumber } from "../common/command.ts";
import { compareDevices, describeComparison, devices, selectDevice } from "../common/devices.ts";
import { runArticle } from "./article.ts";
import { runHeart } from "./ecg/experiment.ts";
import { readRecording, readSensorNetwork } from "./files.ts";
import { writeReport } from "./report/report.ts";
import { runSensors } from "./sensors/experiment.ts";
import { describeArticle, describeHeart, describeSensors } from "./summary.ts";

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const usage = `npm start -- [options]
  --sensors FILE  a sensor network as CSV: mote_id, indoor, humidity, temperature, label (may be given again)
  --ecg FILE      an electrocardiogram as CSV: count, at 360 Hz
  --report FILE   where the report goes
  --seed NUMBER   of the random numbers
  --device ${devices.join("|")}
                  where to compute
  --compare       trains on every device, and compares the losses of every pass
  --no-serve      ends after the report; otherwise the app is served to this machine
  --port NUMBER   where the app is served, or the next port that is free`;

await runCommand(usage, async () => {
  const startMilliseconds = performance.now();
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
      device: { type: "string", default: "cpu" },
      compare: { type: "boolean", default: false },
      "no-serve": { type: "boolean", default: false },
      port: { type: "string", default: "4873" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(usage);
  const seed = wholeNumber("seed", values.seed, 0);
  const port = wholeNumber("port", values.port, 0);
  await selectDevice(values.device);
  // All files first: what is wrong with one shows before anything is trained.
  const networks = await Promise.all(values.sensors.map(readSensorNetwork));
  const millivolts = await readRecording(values.ecg);
  if (values.compare) {
    const comparison = await compareDevices(async () => {
      mx.random.seed(seed);
      const [sensors, heart] = [await runSensors(networks), await runHeart(millivolts)];
      return [...sensors.losses.flatMap(({ values: losses }) => losses), ...heart.losses];
    });
    return console.log(describeComparison(comparison, "pass"));
  }
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
  if (!values["no-serve"]) await serveApp(port);
});

/** Serves the app until the user has enough of it. Its bundler is loaded for nothing else. */
async function serveApp(port: number): Promise<void> {
  const { buildPage, servePage } = await import("./web/serve.ts");
  await buildPage();
  const page = await servePage(port);
  console.log(`The app, with your own data, live: ${page.address}   Ctrl-C ends it.`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await page.close();
}
