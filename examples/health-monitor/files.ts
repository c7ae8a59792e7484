/** Reads the example's recordings from files; what is wrong with one is said in one line. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { reasonOf, UserError } from "../common/command.ts";
import { parseColumns } from "./csv.ts";
import { millivoltsOf } from "./ecg/beats.ts";
import { groupByMote, networkColumns, type SensorNetwork } from "./sensors/network.ts";

/**
 * Reads a network from a CSV file with the columns mote_id, indoor, humidity, temperature and label.
 *
 * @throws {UserError} naming file, row and remedy
 */
export async function readSensorNetwork(path: string): Promise<SensorNetwork> {
  const columns = await readColumns(path, networkColumns);
  return { name: basename(path, ".csv"), motes: groupByMote(path, columns) };
}

/**
 * Reads an electrocardiogram from a CSV file with the column count, the converter's values of the MIT-BIH database.
 *
 * @returns millivolts
 * @throws {UserError} naming file, row and remedy
 */
export async function readRecording(path: string): Promise<Float64Array> {
  const [counts = new Float64Array(0)] = await readColumns(path, ["count"]);
  return millivoltsOf(path, counts);
}

async function readColumns(path: string, names: readonly string[]): Promise<readonly Float64Array[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${reasonOf(error)}); check the path`);
  }
  return parseColumns(text, path, names);
}
