/** Starts the analyst in its worker. */
import { type Actor, actor } from "@mlx-ts/actor";
import { UserError } from "../../../common/command.ts";
import type { Analyst } from "./analyst.ts";

/** The analyst, as the page calls it: one call at a time, in order; while it learns, calls come between its steps. */
export type RemoteAnalyst = Actor<typeof Analyst>;

/** The most threads that compute, as in the engine. */
const mostThreads = 8;

/** Starts the analyst; one of the machine's cores is left to the page. */
export function startAnalyst(): Promise<RemoteAnalyst> {
  const threads = Math.max(1, Math.min(mostThreads, navigator.hardwareConcurrency - 1));
  return actor<typeof Analyst>(() => new Worker(new URL("./analyst-worker.ts", import.meta.url), { type: "module" }), {
    threads,
    errors: [UserError],
  });
}
