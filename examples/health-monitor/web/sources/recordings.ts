/** The recordings that come with the page, and how their files become sources. */
import { parseColumns } from "../../csv.ts";
import { millivoltsOf, sampleRate } from "../../ecg/beats.ts";
import { groupByMote, networkColumns } from "../../sensors/network.ts";
import { type Source, sharedCopy, type Track } from "./source.ts";

/** A recording of the page. */
export type RecordingName = "ecg-208" | "single-hop" | "multi-hop";

const addresses: Readonly<Record<RecordingName, string>> = {
  "ecg-208": new URL("../../data/ecg-208.csv", import.meta.url).href,
  "single-hop": new URL("../../data/single-hop.csv", import.meta.url).href,
  "multi-hop": new URL("../../data/multi-hop.csv", import.meta.url).href,
};

/** Whether a name is that of a recording. */
export function isRecordingName(name: string): name is RecordingName {
  return Object.hasOwn(addresses, name);
}

/** Seconds between the readings of the sensor networks. */
const networkSeconds = 5;

/** Loads a recording. @throws {Error} if its file is not to be had */
export async function loadRecording(name: RecordingName): Promise<Source> {
  const response = await fetch(addresses[name]);
  if (!response.ok)
    throw new Error(`${name}: the page's own recording is missing (${response.status}); reload the page`);
  const text = await response.text();
  return name === "ecg-208" ? heartOf(text) : networkOf(name, text);
}

function heartOf(text: string): Source {
  const [counts = new Float64Array(0)] = parseColumns(text, "ecg-208.csv", ["count"]);
  const millivolts = millivoltsOf("ecg-208.csv", counts);
  const { length } = millivolts;
  return {
    key: "ecg-208",
    title: "Heart",
    kind: "heart",
    remark:
      "Five minutes of an electrocardiogram, record 208 of the MIT-BIH Arrhythmia Database. It has ventricular beats.",
    secondsPerReading: 1 / sampleRate,
    channels: [{ name: "ECG", unit: "mV", digits: 2 }],
    tracks: [
      {
        name: "Record 208",
        channels: [sharedCopy(millivolts)],
        labels: new Uint8Array(length),
        isLabelled: false,
        length,
        trainingLength: Math.floor(length / 2),
      },
    ],
  };
}

function networkOf(name: "single-hop" | "multi-hop", text: string): Source {
  const motes = groupByMote(`${name}.csv`, parseColumns(text, `${name}.csv`, networkColumns));
  const tracks = motes.map(({ id, isIndoor, channels, labels, length, trainingLength }): Track => {
    return {
      name: `Mote ${id}, ${isIndoor ? "indoor" : "outdoor"}`,
      channels: channels.map(sharedCopy),
      labels,
      isLabelled: true,
      length,
      trainingLength,
    };
  });
  return {
    key: name,
    title: name === "single-hop" ? "Single-hop network" : "Multi-hop network",
    kind: "network",
    remark: "Six hours of four motes, a reading every five seconds; events that people introduced are labelled.",
    secondsPerReading: networkSeconds,
    channels: [
      { name: "Humidity", unit: "%", digits: 2 },
      { name: "Temperature", unit: "°C", digits: 2 },
    ],
    tracks,
  };
}
