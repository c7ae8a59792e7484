/** How fast each kind of source is played, and how long it is learned, unless the user says otherwise. */
import type { SourceKind } from "./sources/source.ts";

/** How a kind of source is played and learned. */
export interface Pace {
  /** How many times as fast as it was recorded. */
  readonly speeds: readonly number[];
  readonly speed: number;
  /** Seconds that the trace shows. */
  readonly windows: readonly number[];
  readonly windowSeconds: number;
  readonly epochs: number;
}

/** The paces of all kinds. */
export const paces: Readonly<Record<SourceKind, Pace>> = {
  heart: { speeds: [0.5, 1, 2, 5], speed: 1, windows: [5, 10, 30, 60], windowSeconds: 10, epochs: 60 },
  network: {
    speeds: [1, 60, 300, 1200],
    speed: 300,
    windows: [300, 1800, 7200, 21_600],
    windowSeconds: 1800,
    epochs: 20,
  },
  table: { speeds: [1, 10, 60, 600], speed: 60, windows: [60, 300, 1800, 14_400], windowSeconds: 300, epochs: 20 },
  strap: { speeds: [1], speed: 1, windows: [30, 60, 300, 1800], windowSeconds: 60, epochs: 40 },
};
