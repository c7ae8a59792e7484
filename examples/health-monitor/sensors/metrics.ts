/** How well alarms agree with labels. */

/** Counts over readings, and over events: unbroken runs of labelled readings. */
export interface Counts {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
  readonly events: number;
  /** Events in which at least one reading was flagged. */
  readonly eventsFound: number;
}

/** A run of readings from `start` to before `end`. */
export interface Run {
  readonly start: number;
  readonly end: number;
}

/** The unbroken runs of non-zero marks. */
export function runsOf(marks: Uint8Array): readonly Run[] {
  const runs: Run[] = [];
  let start = -1;
  for (let index = 0; index <= marks.length; index++) {
    const isMarked = (marks[index] ?? 0) !== 0;
    if (isMarked && start < 0) start = index;
    if (!isMarked && start >= 0) {
      runs.push({ start, end: index });
      start = -1;
    }
  }
  return runs;
}

/** Counts the agreement of flags with labels of the same readings. */
export function countAgreement(flags: Uint8Array, labels: Uint8Array): Counts {
  const table = [0, 0, 0, 0]; // index: 2 · label + flag
  for (const [index, label] of labels.entries()) {
    const cell = 2 * (label ? 1 : 0) + (flags[index] ? 1 : 0);
    table[cell] = (table[cell] ?? 0) + 1;
  }
  const events = runsOf(labels);
  const [trueNegatives = 0, falsePositives = 0, falseNegatives = 0, truePositives = 0] = table;
  return {
    truePositives,
    falsePositives,
    falseNegatives,
    trueNegatives,
    events: events.length,
    eventsFound: events.filter(({ start, end }) => flags.subarray(start, end).includes(1)).length,
  };
}

/** The sums of all counts: pooled over motes, each reading weighs the same. */
export function poolCounts(all: readonly Counts[]): Counts {
  const total = (key: keyof Counts): number => all.reduce((sum, counts) => sum + counts[key], 0);
  return {
    truePositives: total("truePositives"),
    falsePositives: total("falsePositives"),
    falseNegatives: total("falseNegatives"),
    trueNegatives: total("trueNegatives"),
    events: total("events"),
    eventsFound: total("eventsFound"),
  };
}

/** The share of flagged readings that are labelled; 0 when nothing was flagged. */
export function precisionOf({ truePositives, falsePositives }: Counts): number {
  return ratio(truePositives, truePositives + falsePositives);
}

/** The share of labelled readings that were flagged; 0 when nothing is labelled. */
export function recallOf({ truePositives, falseNegatives }: Counts): number {
  return ratio(truePositives, truePositives + falseNegatives);
}

/** The harmonic mean of precision and recall. */
export function f1Of({ truePositives, falsePositives, falseNegatives }: Counts): number {
  return ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives);
}

/** Flagged readings among 10,000 that carry no label. */
export function falseAlarmsPerTenThousand({ falsePositives, trueNegatives }: Counts): number {
  return 10_000 * ratio(falsePositives, falsePositives + trueNegatives);
}

/** The names of the figures of `figuresOf`. */
export const figureNames: readonly string[] = ["precision", "recall", "F1", "events", "false alarms per 10,000"];

/** How well alarms agree with labels, as text. */
export function figuresOf(counts: Counts): readonly string[] {
  return [
    precisionOf(counts).toFixed(3),
    recallOf(counts).toFixed(3),
    f1Of(counts).toFixed(3),
    `${counts.eventsFound} of ${counts.events}`,
    falseAlarmsPerTenThousand(counts).toFixed(1),
  ];
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
