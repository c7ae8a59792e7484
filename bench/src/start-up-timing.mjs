/** What the fresh processes of start-up.ts have in common: they time a library's first value and first calls, and report. */

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
  const begin = performance.now();
  const library = await load();
  await first(library);
  const calls = { first: { milliseconds: [performance.now() - begin] } };
  for (const [name, kernel] of Object.entries(await kernels(library))) {
    calls[name] = typeof kernel === "string" ? { because: kernel } : { milliseconds: await twice(kernel) };
  }
  const { node, v8 } = process.versions;
  console.log(JSON.stringify({ versions: { ...versions, node, v8 }, calls }));
  process.exit(0);
}

/** @param {() => Promise<unknown>} kernel */
async function twice(kernel) {
  const times = [];
  for (let call = 0; call < 2; call++) {
    const start = performance.now();
    await kernel();
    times.push(performance.now() - start);
  }
  return times;
}
