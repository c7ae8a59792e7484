/** A Vitest reporter that writes how many tests passed, failed and were skipped, so that `npm test` can say so last. */
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** The environment variable that names the file the counts go to. */
export const countsFileVariable = "TEST_COUNTS_FILE";

/** How many tests of one project ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Counts tests by project; a file that does not load and an error outside of any test count as one failure each. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const path = process.env[countsFileVariable];
    if (path === undefined) return;
    const countsByProject: Record<string, Counts> = {};
    for (const module of modules) {
      // The browser's instances are projects called "chromium (chromium)".
      const projectName = module.project.name.split(" ")[0] ?? "";
      countsByProject[projectName] ??= { passed: 0, failed: 0, skipped: 0 };
      countModule(module, countsByProject[projectName]);
    }
    if (unhandledErrors.length > 0) {
      countsByProject["outside of any test"] = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    }
    writeFileSync(path, JSON.stringify(countsByProject));
  }
}

function countModule(module: TestModule, counts: Counts): void {
  let failedTests = 0;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === "passed") counts.passed++;
    else if (state === "skipped") counts.skipped++;
    else failedTests++;
  }
  counts.failed += failedTests;
  // A file or suite can fail without a failed test: a syntax error, a hook that throws.
  if (failedTests === 0 && !module.ok()) counts.failed++;
}
