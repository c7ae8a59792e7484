/** A table that the user drops onto the page, read as a stream: a file of any size never stands in memory as text. */
import { UserError } from "../../../common/command.ts";
import { TableReader } from "../../csv.ts";
import { extentsOf } from "../trace/pyramid.ts";
import { fewestToLearn, type Source, sharedCopy, sharedZeros } from "./source.ts";

/** How a file is read. */
export interface TableFileOptions {
  /** Whether rows with missing or broken values are left out; otherwise the first of them is refused. */
  readonly leavesOutBrokenRows: boolean;
  readonly signal?: AbortSignal;
}

/** How much of a file has been read. */
export interface TableProgress {
  readonly share: number;
  readonly rows: number;
}

/** Values kept at most: 256 MiB of them. */
const valueLimit = 2 ** 25;

/** Channels shown and learned at most. */
const mostChannels = 8;

const millisecondsBetweenReports = 100;

/** Reads a CSV file as a source of one track, which comes last; until then, says how far it is. @throws {UserError} */
export async function* readTableFile(
  file: File,
  options: TableFileOptions,
): AsyncGenerator<TableProgress | Source, void, void> {
  const reader = new TableReader(file.name, { valueLimit, leavesOutBrokenRows: options.leavesOutBrokenRows });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = 0;
  let reported = performance.now();
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw new UserError(`${file.name}, near row ${reader.row}: is no text in UTF-8; save the table as CSV in UTF-8`);
    }
  };
  for await (const chunk of chunksOf(file)) {
    options.signal?.throwIfAborted();
    reader.push(decode(chunk));
    bytes += chunk.byteLength;
    if (performance.now() - reported < millisecondsBetweenReports) continue;
    reported = performance.now();
    yield { share: bytes / file.size, rows: reader.length };
  }
  reader.push(decode());
  const { names, columns, rowsLeftOut } = reader.finish();
  yield tableSource(file.name, names, columns, rowsLeftOut);
}

/** Columns of numbers as a source. @throws {UserError} if there are too few rows or too many columns */
function tableSource(
  name: string,
  names: readonly string[],
  columns: readonly Float64Array[],
  rowsLeftOut: number,
): Source {
  const length = columns[0]?.length ?? 0;
  if (length < 2 * fewestToLearn) {
    throw new UserError(
      `${name}, row ${length + 1}: ends after ${length} readings; record at least ${2 * fewestToLearn}, half of them to learn from`,
    );
  }
  if (columns.length > mostChannels) {
    const remedy = `leave all but ${mostChannels} out`;
    throw new UserError(
      `${name}: has ${columns.length} columns of numbers (${names.slice(0, 3).join(", ")} …); ${remedy}`,
    );
  }
  const leftOut = rowsLeftOut > 0 ? ` ${rowsLeftOut.toLocaleString("en")} rows were left out.` : "";
  const channels = columns.map(sharedCopy);
  return {
    key: `table ${JSON.stringify([name, length, names])}`,
    title: name,
    kind: "table",
    remark: `${length.toLocaleString("en")} readings of your own.${leftOut}`,
    secondsPerReading: 1,
    channels: names.map((channel, c) => ({
      name: channel,
      unit: "",
      digits: digitsOf(columns[c] ?? new Float64Array(0)),
    })),
    tracks: [
      {
        name,
        channels,
        extents: channels.map((values) => extentsOf(values, sharedZeros)),
        labels: new Uint8Array(length),
        isLabelled: false,
        length,
        trainingLength: Math.floor(length / 2),
      },
    ],
  };
}

/** Digits after the decimal point that tell the first readings apart, four at most. */
function digitsOf(values: Float64Array): number {
  const sample = values.subarray(0, 100);
  for (let digits = 0; digits < 4; digits++) {
    if (sample.every((value) => Math.abs(value - Number(value.toFixed(digits))) < 1e-9)) return digits;
  }
  return 4;
}

/** The bytes of a file, as they are read. Not every browser iterates over streams. */
async function* chunksOf(file: File): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
