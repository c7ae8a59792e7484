/** What the fresh processes of start-up.ts have in common: they time a library's first value and first calls, and report. */

/** @import { Call, Report } from "./start-up.ts" */

/**
 * Loads a library, awaits its first value, calls each of its kernels twice, prints a report in JSON and ends the process.
 * A kernel that the library cannot compute is the reason why.
 *
 * @template Library
 * @param {{
 *   versions: Record<string, string>,
 *   load: () => Promise<Library>,
 *   first: (library: Library) => Promise<unknown>,
 *   kernels: (library: Library) => Promise<Record<string, string | (() => Promise<unknown>)>>,
 * }} subject
 */
export async function reportStart({ versions, load, first, kernels }) {
  const elapsed = stopwatch();
  const library = await load();
  await first(library);
  /** @type {Record<string, Call[] | string>} */
  const calls = { first: [elapsed()] };
  for (const [name, kernel] of Object.entries(await kernels(library))) {
    calls[name] = typeof kernel === "string" ? kernel : [await timed(kernel), await timed(kernel)];
  }
  const { node, v8 } = process.versions;
  /** @type {Report} */
  const report = { versions: { ...versions, node, v8 }, calls };
  console.log(JSON.stringify(report));
  process.exit(0);
}

/** @param {() => Promise<unknown>} call */
async function timed(call) {
  const elapsed = stopwatch();
  await call();
  return elapsed();
}

/**
 * Says how long it has been running: wall time, and processor time of all threads of the process.
 *
 * @returns {() => Call}
 */
function stopwatch() {
  const before = process.cpuUsage();
  const start = performance.now();
  return () => {
    const milliseconds = performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    return { milliseconds, processorMilliseconds: (user + system) / 1000 };
  };
}
