/** A sensor network: what each of its motes measured, and which readings people labelled. */
import { UserError } from "../../common/command.ts";
import type { Series } from "./series.ts";

/** One mote's recording. The first half is for training, the second for testing. */
export interface Mote extends Series {
  readonly id: number;
  readonly isIndoor: boolean;
  /** Humidity in percent and temperature in °C, one value a reading each. */
  readonly channels: readonly [humidity: Float64Array, temperature: Float64Array];
}

/** The motes of one file. */
export interface SensorNetwork {
  readonly name: string;
  readonly motes: readonly Mote[];
}

/** Readings that a mote must have at least: half of them train a model that looks back over minutes. */
const minimumLength = 400;

/** The columns that a network is made of. */
export const networkColumns: readonly string[] = ["mote_id", "indoor", "humidity", "temperature", "label"];

/**
 * The motes in columns of the above names, in the order of their first readings.
 *
 * @throws {UserError} naming file, row and remedy
 */
export function groupByMote(path: string, columns: readonly Float64Array[]): readonly Mote[] {
  const [ids = empty, indoor = empty, humidity = empty, temperature = empty, labels = empty] = columns;
  const rowsById = new Map<number, number[]>();
  for (const [row, id] of ids.entries()) {
    const rows = rowsById.get(id);
    if (rows) rows.push(row);
    else rowsById.set(id, [row]);
  }
  if (rowsById.size === 0) throw new UserError(`${path}: has no readings; add at least ${minimumLength} for each mote`);
  return [...rowsById].map(([id, rows]) => {
    if (rows.length < minimumLength) {
      const lastRow = (rows.at(-1) ?? 0) + 2;
      throw new UserError(
        `${path}, row ${lastRow}: mote ${id} ends after ${rows.length} readings; ` +
          `record at least ${minimumLength} or leave the mote out`,
      );
    }
    const pick = (column: Float64Array): Float64Array => Float64Array.from(rows, (row) => column[row] ?? 0);
    return {
      id,
      isIndoor: indoor[rows[0] ?? 0] === 1,
      channels: [pick(humidity), pick(temperature)],
      labels: Uint8Array.from(pick(labels)),
      length: rows.length,
      trainingLength: Math.floor(rows.length / 2),
    };
  });
}

const empty = new Float64Array(0);
