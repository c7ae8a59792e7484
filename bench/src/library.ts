/** What a library brings to the comparison: one way to set up each row it can do. */
import type { RowName } from "./rows.ts";

/** One row made ready by a library. */
export interface Prepared {
  /** Computes the row once, to the end: resolves when the result lies in memory. */
  run(): Promise<void>;
  /** Operations in a run, for rows that are reported per operation; 1 unless given. */
  readonly operations?: number;
}

/** A library under measurement. */
export interface Library<Name extends string = RowName> {
  /** The versions of its packages. */
  readonly versions: Readonly<Record<string, string>>;
  /** What it does in each row: a way to set it up, or why it cannot. */
  readonly rows: Readonly<Record<Name, (() => Promise<Prepared>) | string>>;
}
