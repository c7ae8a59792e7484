/**
 * `npm test`: runs every test in Node, on software GPUs and in Chromium and prints `N passed, N failed` last.
 *
 * Arguments: file-name filters, `--project node|pages|lavapipe|swiftshader|chromium|firefox|webkit`, `-t <pattern of test names>`, `--update` (snapshots).
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureChromium } from "./chromium.ts";
import { type Counts, countsFileVariable } from "./count-reporter.ts";
import { generateDocumentationTests } from "./documentation-tests.ts";
import { rootPath } from "./root.ts";
import { ensureRuntimes } from "./runtimes.ts";
import { ensureSpawnedBrowser, spawnedBrowserNames } from "./spawned-browser.ts";
import { ensureLavapipe } from "./vulkan.ts";

/** What runs unless projects are named. WebKit is left out: beside all others its browser once did not start in time. */
const projects = ["node", "pages", "lavapipe", "swiftshader", "chromium", "firefox"];

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    project: { type: "string", multiple: true, default: [...projects] },
    testNamePattern: { type: "string", short: "t" },
    update: { type: "boolean", short: "u", default: false },
  },
});

const isPrepared = prepare();
const countsByProject: Record<string, Counts> = isPrepared
  ? runVitest()
  : { preparation: { passed: 0, failed: 1, skipped: 0 } };
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const [project, counts] of Object.entries(countsByProject)) {
  console.log(`${project}: ${describeCounts(counts)}`);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
// A project that was asked for and ran nothing is a failure, never a silent skip (some files run in Node only).
const expectedProjects = isPrepared && filters.length === 0 ? values.project : [];
const silentProjects = expectedProjects.filter((project) => !(project in countsByProject));
for (const project of silentProjects) console.error(`${project}: no test ran`);
total.failed += silentProjects.length;
if (total.passed + total.failed === 0) {
  console.error("no test ran");
  total.failed = 1;
}
console.log(describeCounts(total));
process.exitCode = total.failed > 0 ? 1 : 0;

function describeCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Brings about what the tests need; says what is missing and returns false otherwise. */
function prepare(): boolean {
  try {
    // Chromium brings SwiftShader along.
    if (values.project.some((project) => ["chromium", "pages", "swiftshader"].includes(project))) ensureChromium();
    if (values.project.includes("lavapipe")) ensureLavapipe();
    for (const name of spawnedBrowserNames) if (values.project.includes(name)) ensureSpawnedBrowser(name);
    if (
      values.project.includes("node") &&
      (filters.length === 0 || filters.some((filter) => filter.includes("runtimes")))
    )
      ensureRuntimes();
    if (filters.length === 0 || filters.some((filter) => filter.includes("documentation")))
      generateDocumentationTests();
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

function runVitest(): Record<string, Counts> {
  const folder = mkdtempSync(join(tmpdir(), "mlx-ts-test-"));
  const countsFile = join(folder, "counts.json");
  const vitestArguments = ["run", ...filters];
  for (const project of values.project) vitestArguments.push("--project", `${project}*`);
  if (values.testNamePattern !== undefined) vitestArguments.push("--testNamePattern", values.testNamePattern);
  if (values.update) vitestArguments.push("--update");
  try {
    const { status } = spawnSync(
      process.execPath,
      [join(rootPath, "node_modules/vitest/vitest.mjs"), ...vitestArguments],
      {
        cwd: rootPath,
        stdio: "inherit",
        env: { ...process.env, [countsFileVariable]: countsFile },
      },
    );
    const counts: Record<string, Counts> = existsSync(countsFile) ? JSON.parse(readFileSync(countsFile, "utf8")) : {};
    const isFailureCounted = Object.values(counts).some(({ failed }) => failed > 0);
    if (status !== 0 && !isFailureCounted) counts["test runner"] = { passed: 0, failed: 1, skipped: 0 };
    return counts;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
