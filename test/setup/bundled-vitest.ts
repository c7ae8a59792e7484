/**
 * What tests import as `vitest` where they run from one file without it: its own runner and matchers (packages that come with
 * it), and a line per file.
 */

import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from "@vitest/expect";
import type { File, Task, VitestRunner, VitestRunnerConfig } from "@vitest/runner";
import { startTests } from "@vitest/runner";

export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from "@vitest/runner";

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

export const expect: typeof chai.expect = chai.expect;

/** The part of `vi` that these tests use; time limits are the runner's. */
export const vi: { setConfig(config: object): void } = { setConfig: () => undefined };

/** Long enough for a driver that compiles every shader anew. */
const patienceMilliseconds = 300_000;

const config: VitestRunnerConfig = {
  root: "",
  setupFiles: [],
  name: "bundle",
  passWithNoTests: false,
  testNamePattern: undefined,
  allowOnly: true,
  sequence: { seed: 0, hooks: "stack", setupFiles: "list" },
  chaiConfig: undefined,
  maxConcurrency: 1,
  testTimeout: patienceMilliseconds,
  hookTimeout: patienceMilliseconds,
  retry: 0,
  includeTaskLocation: undefined,
  tags: [],
  tagsFilter: undefined,
  strictTags: false,
};

/** Runs test files one after the other, prints how each went and `N passed, N failed` last; whether none failed. */
export async function runFiles(files: Readonly<Record<string, () => Promise<unknown>>>): Promise<boolean> {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, load] of Object.entries(files)) {
    const started = performance.now();
    const runner: VitestRunner = { config, importFile: load };
    const ended = await startTests([{ filepath: name }], runner);
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const file of ended) count(file, counts);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    console.log(`${name}: ${describe(counts)} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  }
  console.log(describe(total));
  return total.failed === 0 && total.passed > 0;

  function describe({ passed, failed, skipped }: typeof total): string {
    return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  }
}

/** Counts the tests in `task`, and prints what failed. */
function count(task: Task | File, counts: { passed: number; failed: number; skipped: number }): void {
  const [error] = task.result?.errors ?? [];
  if (error) console.error(`✗ ${task.fullName}: ${error.message}\n${String(error.diff ?? error.stack).slice(0, 2000)}`);
  if ("tasks" in task) {
    // A file that does not load, and a hook that fails, count as a failure each.
    if (error) counts.failed++;
    for (const inner of task.tasks) count(inner, counts);
  } else if (task.mode === "skip" || task.mode === "todo" || task.result?.state === "skip") counts.skipped++;
  else if (task.result?.state === "pass") counts.passed++;
  else counts.failed++;
}
