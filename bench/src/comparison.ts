/** Measures rows in every library, in turns, so that a busy moment of the machine falls on all of them. */
import type { MeasuredPeer } from "./peer.ts";

/** Who takes part. */
export interface Contender {
  readonly name: string;
  /** Starts it with so many threads. */
  start(threads: number): MeasuredPeer;
}

/** How long and how often to measure. */
export interface Effort {
  readonly rounds: number;
  /** At least this long per library and round. */
  readonly milliseconds: number;
}

/** What a library did in a row. */
export interface Measurement {
  readonly library: string;
  readonly row: string;
  readonly threads: number;
  readonly versions?: Readonly<Record<string, string>>;
  /** The first run, with everything that is compiled for it. */
  readonly firstMilliseconds?: number;
  /** Per operation. */
  readonly medianMilliseconds?: number;
  readonly bestMilliseconds?: number;
  /** Median over the rounds of the processor time per operation, all threads of the process. */
  readonly processorMilliseconds?: number;
  readonly runs?: number;
  /** Why there is no measurement. */
  readonly because?: string;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Measures one row with some threads in each of the libraries. */
export async function compare(
  row: { readonly name: string },
  threads: number,
  subjects: readonly Contender[],
  effort: Effort,
): Promise<readonly Measurement[]> {
  const peers = subjects.map(({ start }) => start(threads));
  try {
    const states = await Promise.all(
      peers.map(async (peer, k) => {
        const reply = await peer.ask({ kind: "prepare", row: row.name });
        return { peer, name: subjects[k]?.name ?? "", reply, wall: [] as number[], processor: [] as number[] };
      }),
    );
    for (let round = 0; round < effort.rounds; round++) {
      for (const state of states) {
        if (state.reply.kind === "unable") continue;
        const reply = await state.peer.ask({ kind: "measure", milliseconds: effort.milliseconds });
        if (reply.kind === "unable") state.reply = reply;
        if (reply.kind !== "measured") continue;
        state.wall.push(...reply.milliseconds);
        state.processor.push(reply.processorMilliseconds);
      }
    }
    return states.map(({ name, reply, wall, processor }): Measurement => {
      const base = { library: name, row: row.name, threads };
      if (reply.kind === "unable") return { ...base, because: reply.because };
      return {
        ...base,
        ...(reply.kind === "ready" ? { versions: reply.versions, firstMilliseconds: reply.firstMilliseconds } : {}),
        medianMilliseconds: median(wall),
        bestMilliseconds: Math.min(...wall),
        processorMilliseconds: median(processor),
        runs: wall.length,
      };
    });
  } finally {
    for (const peer of peers) peer.stop();
  }
}
