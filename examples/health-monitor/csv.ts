/** Columns of numbers from CSV text, as it comes; every mistake in it is a line that names file, row and remedy. */
import { UserError } from "../common/command.ts";

/** What to read, and what to do about rows that cannot be read. */
export interface TableOptions {
  /** The columns to read, in this order; every column that holds numbers unless given. */
  readonly names?: readonly string[];
  /** Whether a row with a missing or broken value is left out and counted; otherwise it is refused. */
  readonly leavesOutBrokenRows?: boolean;
  /** Values that are kept at most; without end unless given. */
  readonly valueLimit?: number;
}

/** The columns of a file. */
export interface Table {
  readonly names: readonly string[];
  readonly columns: readonly Float64Array[];
  /** Rows with missing or broken values that were left out. */
  readonly rowsLeftOut: number;
}

/** Characters of a row at most; whatever has longer ones is no table. */
const longestRow = 100_000;

/** Rows looked at to tell columns of numbers from columns of text. */
const sampledRows = 20;

/**
 * Reads CSV text piece by piece. The first row holds the column names; fields are set apart by commas, semicolons or tabs,
 * and beside the latter two a comma may stand for the decimal point.
 *
 * Rows are counted as a text editor counts lines: the header is row 1.
 */
export class TableReader {
  readonly #path: string;
  readonly #options: TableOptions;
  #rest = "";
  #row = 0;
  #emptyRows = 0;
  #delimiter = ",";
  #header: readonly string[] = [];
  /** The first rows, until they tell which columns hold numbers. */
  #sample: { readonly line: string; readonly row: number }[] | null = null;
  #names: readonly string[] = [];
  #positions: readonly number[] = [];
  #columns: Float64Array[] = [];
  #length = 0;
  #rowsLeftOut = 0;

  constructor(path: string, options: TableOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Rows read so far. */
  get length(): number {
    return this.#length;
  }

  /** The row being read. */
  get row(): number {
    return Math.max(1, this.#row);
  }

  /** Reads on. @throws {UserError} for a missing column, a missing value, or a value that is no number */
  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
    if (this.#rest.length > longestRow) this.#refuseLongRow();
  }

  /** What was read. @throws {UserError} as `push` does */
  finish(): Table {
    if (this.#rest !== "" || this.#row === 0) this.#readLine(this.#rest);
    this.#rest = "";
    if (this.#sample) this.#endSample(this.#sample);
    return {
      names: this.#names,
      columns: this.#columns.map((column) => column.slice(0, this.#length)),
      rowsLeftOut: this.#rowsLeftOut,
    };
  }

  #readLine(line: string): void {
    this.#row++;
    if (line.length > longestRow) this.#refuseLongRow();
    if (this.#row === 1) {
      this.#readHeader(line.replace(/^\uFEFF/, ""));
      return;
    }
    // Empty rows may end a file. Between others they lack every value.
    if (line.trim() === "") {
      this.#emptyRows++;
      return;
    }
    for (; this.#emptyRows > 0; this.#emptyRows--) this.#readRow("", this.#row - this.#emptyRows);
    this.#readRow(line, this.#row);
  }

  #readHeader(line: string): void {
    if (line.includes("\0")) throw new UserError(`${this.#path}: holds no text; save the table as CSV`);
    this.#delimiter = line.includes("\t") ? "\t" : line.includes(";") ? ";" : ",";
    const fields = this.#fieldsOf(line);
    const { names } = this.#options;
    if (names) {
      const absent = names.filter((name) => !fields.includes(name));
      if (absent.length > 0) {
        const remedy = `the first row must name the columns ${names.join(", ")}`;
        throw new UserError(`${this.#path}, row 1: no column "${absent.join('", "')}"; ${remedy}`);
      }
      this.#keep(
        names,
        names.map((name) => fields.indexOf(name)),
      );
      return;
    }
    this.#sample = [];
    if (fields.every((field) => this.#isNumber(field))) {
      this.#header = fields.map((_, index) => `column ${index + 1}`);
      this.#readRow(line, 1);
    } else this.#header = fields.map((field, index) => field || `column ${index + 1}`);
  }

  #readRow(line: string, row: number): void {
    if (this.#sample) {
      this.#sample.push({ line, row });
      if (this.#sample.length === sampledRows) this.#endSample(this.#sample);
      return;
    }
    const fields = this.#fieldsOf(line);
    const { leavesOutBrokenRows = false, valueLimit = Number.POSITIVE_INFINITY } = this.#options;
    if (leavesOutBrokenRows && !this.#positions.every((position) => this.#isNumber(fields[position] ?? ""))) {
      this.#rowsLeftOut++;
      return;
    }
    for (const [index, position] of this.#positions.entries()) {
      const value = this.#parseNumber(fields[position] ?? "", row, this.#names[index] ?? "");
      let column = this.#columns[index] ?? new Float64Array(0);
      if (this.#length === column.length) {
        column = grown(column);
        this.#columns[index] = column;
      }
      column[this.#length] = value;
    }
    this.#length++;
    if (this.#length * this.#positions.length > valueLimit) {
      const limit = valueLimit.toLocaleString("en");
      throw new UserError(`${this.#path}, row ${row}: more than ${limit} values; leave out columns or rows`);
    }
  }

  /** Columns of numbers are those in which most of the sampled rows have one. */
  #endSample(sample: readonly { readonly line: string; readonly row: number }[]): void {
    this.#sample = null;
    const rows = sample.map(({ line }) => this.#fieldsOf(line));
    const positions = this.#header.flatMap((_, position) => {
      const numbers = rows.filter((fields) => this.#isNumber(fields[position] ?? "")).length;
      return numbers > 0 && 2 * numbers >= rows.length ? [position] : [];
    });
    if (positions.length === 0) {
      const remedy = "give each sensor a column with one reading in every row";
      throw new UserError(`${this.#path}: no column of numbers; ${remedy}`);
    }
    this.#keep(
      positions.map((position) => this.#header[position] ?? ""),
      positions,
    );
    for (const { line, row } of sample) this.#readRow(line, row);
  }

  #keep(names: readonly string[], positions: readonly number[]): void {
    this.#names = names;
    this.#positions = positions;
    this.#columns = names.map(() => new Float64Array(1024));
  }

  #fieldsOf(line: string): readonly string[] {
    const fields = line.split(this.#delimiter);
    return line.includes('"') || line.includes(" ") || line.includes("\r")
      ? fields.map((field) => field.trim().replace(/^"(.*)"$/, "$1"))
      : fields;
  }

  #isNumber(field: string): boolean {
    return field !== "" && Number.isFinite(this.#valueOf(field));
  }

  #valueOf(field: string): number {
    return Number(this.#delimiter === "," ? field : field.replace(",", "."));
  }

  #parseNumber(field: string, row: number, name: string): number {
    const place = `${this.#path}, row ${row}`;
    if (field === "") throw new UserError(`${place}: ${name} is missing; fill it in or delete the row`);
    const value = this.#valueOf(field);
    if (!Number.isFinite(value)) {
      const shown = field.length > 40 ? `${field.slice(0, 40)}…` : field;
      throw new UserError(`${place}: ${name} is "${shown}", not a number; correct it or delete the row`);
    }
    return value;
  }

  #refuseLongRow(): never {
    const limit = longestRow.toLocaleString("en");
    throw new UserError(
      `${this.#path}, row ${Math.max(this.#row, 1)}: longer than ${limit} characters; save a table as CSV`,
    );
  }
}

/** The named columns of a whole CSV text. @throws {UserError} as `TableReader` does */
export function parseColumns(text: string, path: string, names: readonly string[]): readonly Float64Array[] {
  const reader = new TableReader(path, { names });
  reader.push(text);
  return reader.finish().columns;
}

function grown(column: Float64Array): Float64Array {
  const larger = new Float64Array(2 * Math.max(column.length, 512));
  larger.set(column);
  return larger;
}
