/** Reads columns of numbers from CSV files; every mistake in one is a line that names file, row and remedy. */
import { readFile } from "node:fs/promises";
import { reasonOf, UserError } from "../common/command.ts";

/** Reads a CSV file as `parseColumns` does, and says so in one line if there is no such file. */
export async function readColumns(path: string, names: readonly string[]): Promise<readonly Float64Array[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${reasonOf(error)}); check the path`);
  }
  return parseColumns(text, path, names);
}

/**
 * The named columns of a CSV text whose first row holds the column names. Other columns are ignored.
 *
 * Rows are counted as a text editor counts lines: the header is row 1.
 *
 * @throws {UserError} for a missing column, a missing value, or a value that is no number
 */
export function parseColumns(text: string, path: string, names: readonly string[]): readonly Float64Array[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.length > 0 && lines.at(-1)?.trim() === "") lines.pop();
  const header = (lines[0] ?? "").split(",").map((name) => name.trim());
  const positions = names.map((name) => header.indexOf(name));
  const absent = names.filter((_, index) => positions[index] === -1);
  if (absent.length > 0) {
    throw new UserError(
      `${path}, row 1: no column "${absent.join('", "')}"; the first row must name the columns ${names.join(", ")}`,
    );
  }
  const columns = names.map(() => new Float64Array(lines.length - 1));
  for (let row = 1; row < lines.length; row++) {
    const fields = (lines[row] ?? "").split(",");
    for (const [index, column] of columns.entries()) {
      const name = names[index] ?? "";
      column[row - 1] = parseNumber(fields[positions[index] ?? -1], `${path}, row ${row + 1}`, name);
    }
  }
  return columns;
}

function parseNumber(field: string | undefined, place: string, name: string): number {
  const text = field?.trim() ?? "";
  if (text === "") throw new UserError(`${place}: ${name} is missing; fill it in or delete the row`);
  const value = Number(text);
  if (!Number.isFinite(value)) {
    throw new UserError(`${place}: ${name} is "${text}", not a number; correct it or delete the row`);
  }
  return value;
}
