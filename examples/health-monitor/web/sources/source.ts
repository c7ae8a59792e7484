/** What the page shows and the detectors judge: readings of one or more sensors that measure the same, as plain data. */
import type { Series } from "../../sensors/series.ts";
import type { ExtentLevels } from "../trace/pyramid.ts";

/** What kind of readings a source gives, which decides how they are judged and shown. */
export type SourceKind = "heart" | "network" | "table" | "strap";

/** What one channel measures. */
export interface ChannelInfo {
  readonly name: string;
  /** As it stands behind a number; empty where the source does not say. */
  readonly unit: string;
  /** Digits after the decimal point. */
  readonly digits: number;
}

/** The readings of one sensor. */
export interface Track extends Series {
  readonly name: string;
  /** Whether events in it were labelled by people. */
  readonly isLabelled: boolean;
  /** The extents of each channel, if they are known; otherwise whoever draws finds them. */
  readonly extents?: readonly ExtentLevels[];
}

/** A recording, or a sensor that goes on measuring. */
export interface Source {
  /** Names it among all sources, and its files in the browser. */
  readonly key: string;
  readonly title: string;
  readonly kind: SourceKind;
  /** What is worth knowing about it, in a sentence. */
  readonly remark: string;
  readonly secondsPerReading: number;
  readonly channels: readonly ChannelInfo[];
  readonly tracks: readonly Track[];
}

/** Readings that a detector needs at least before it can learn. */
export const fewestToLearn = 120;

/** Zeros in memory that the page and its worker share, where the page may share memory. */
export function sharedZeros(length: number): Float64Array {
  const byteLength = length * Float64Array.BYTES_PER_ELEMENT;
  const { crossOriginIsolated } = globalThis;
  return new Float64Array(crossOriginIsolated ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength));
}

/** A copy of `values` in memory that the page and its worker share, where the page may share memory. */
export function sharedCopy(values: Float64Array): Float64Array {
  const copy = sharedZeros(values.length);
  copy.set(values);
  return copy;
}
