/**
 * `npm run check`: everything that holds without running the library. Prints what fails and exits non-zero.
 *
 * Arguments: names of the checks to run; all of them without any.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { arePeersInstalled } from "../bench/src/installed-peers.ts";
import { checkBudgets } from "./check-budgets.ts";
import { findCasts } from "./check-casts.ts";
import { findUndocumented } from "./check-documentation.ts";
import { findLayerViolations } from "./check-layers.ts";
import { checkOptionalMembers } from "./check-optional-members.ts";
import { checkPublicExamples } from "./check-public-examples.ts";
import { generateDocumentationTests } from "./documentation-tests.ts";
import { listPackages, rootPath } from "./root.ts";
import { checkSources } from "./source-check.ts";

interface StaticCheck {
  readonly name: string;
  /** Why there is nothing to check here. */
  readonly absence?: () => string | null;
  readonly holds: () => boolean | Promise<boolean>;
}

const checks: readonly StaticCheck[] = [
  { name: "style", holds: () => runs("biome", "check", "--error-on-warnings", ".") },
  { name: "types", holds: () => runs("tsc", "--noEmit") && checkOptionalMembers() },
  {
    name: "peers",
    absence: () => (arePeersInstalled() ? null : "not installed; `npm run bench` installs and checks them"),
    holds: () => runs("tsc", "-p", "bench/peers"),
  },
  { name: "layers", holds: () => checkSources(findLayerViolations) },
  { name: "docstrings", holds: () => checkSources(findUndocumented) && checkPublicExamples() },
  { name: "casts", holds: () => checkSources(findCasts) },
  { name: "examples", holds: checkExamples },
  { name: "package", holds: checkPackage },
  { name: "budgets", holds: checkBudgets },
];

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!checks.some((check) => check.name === name)) {
    throw new Error(`no check is called ${name}: there are ${checks.map((check) => check.name).join(", ")}`);
  }
}
const failed: string[] = [];
const absent: string[] = [];
for (const { name, absence, holds } of checks) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const because = absence?.() ?? null;
  if (because !== null) {
    console.log(`– ${name}: ${because}`);
    absent.push(name);
    continue;
  }
  const startMilliseconds = performance.now();
  const isHeld = await judge(holds);
  const seconds = ((performance.now() - startMilliseconds) / 1000).toFixed(1);
  console.log(`${isHeld ? "✓" : "✗"} ${name} (${seconds} s)`);
  if (!isHeld) failed.push(name);
}
if (failed.length > 0) console.log(`failed: ${failed.join(", ")}`);
else console.log(absent.length > 0 ? `every check holds, without ${absent.join(", ")}` : "every check holds");
process.exitCode = failed.length === 0 ? 0 : 1;

/** A check that throws has failed, and says why. */
async function judge(holds: StaticCheck["holds"]): Promise<boolean> {
  try {
    return await holds();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

/** Runs a program of node_modules and shows what it printed only when it fails. */
function runs(program: string, ...programArguments: readonly string[]): boolean {
  const { status, stdout, stderr } = spawnSync(join(rootPath, "node_modules/.bin", program), programArguments, {
    cwd: rootPath,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) console.error(`${stdout}${stderr}`.trimEnd());
  return status === 0;
}

/** The examples of the documentation compile, as strictly as the library does. */
function checkExamples(): boolean {
  generateDocumentationTests();
  return runs("tsc", "-p", "tsconfig.documentation.json");
}

/** What would be published, package by package, compiles, is complete, and its types resolve as its code does. */
function checkPackage(): boolean {
  if (!runs("tsx", "tools/build.ts")) return false;
  // As a page's project reads them, whose compiler is told of nothing but the browser; and a server's, told of nothing but Node.
  if (!runs("tsc", "-p", "tsconfig.declarations.json")) return false;
  if (!runs("tsc", "-p", "tsconfig.declarations.node.json")) return false;
  return [".", ...listPackages()].every(
    (folder) =>
      areDeclarationsOld(folder) &&
      runs("publint", folder, "--strict") &&
      runs("attw", "--pack", folder, "--profile", "esm-only"),
  );
}

/** The declarations of a package do without what TypeScript learned after 5.4, which this project's own writes: generic typed arrays. */
function areDeclarationsOld(folder: string): boolean {
  const dist = join(rootPath, folder, "dist");
  const tooNew = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter(
    (path) =>
      path.endsWith(".d.ts") &&
      /\b(?:Int|Uint|Float|BigInt|BigUint)\d+(?:Clamped)?Array</.test(readFileSync(join(dist, path), "utf8")),
  );
  for (const path of tooNew)
    console.error(`${folder}/dist/${path}: a generic typed array, which TypeScript 5.4 does not read; see OwnBytes`);
  return tooNew.length === 0;
}
