/** Deno and Bun, in which a program of the tests runs too; they are installed apart, because they are large. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { rootPath } from "./root.ts";

const folder = join(rootPath, "test/runtimes");

/** The command that runs a script in each runtime. */
export const runtimes: Readonly<Record<string, readonly [program: string, ...argumentList: string[]]>> = {
  node: [process.execPath],
  deno: [join(folder, "node_modules/@deno/linux-x64-glibc/deno"), "run", "--allow-all"],
  bun: [join(folder, "node_modules/@oven/bun-linux-x64/bin/bun"), "run"],
};

/**
 * Makes sure that all of them are there: installs those that are not.
 *
 * @throws {Error} if they cannot be installed
 */
export function ensureRuntimes(): void {
  const missing = (): readonly string[] =>
    Object.keys(runtimes).filter((name) => !existsSync(runtimes[name]?.[0] ?? ""));
  if (missing().length === 0) return;
  console.log(`installing the runtimes of test/runtimes: ${missing().join(", ")}`);
  spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (missing().length > 0) {
    throw new Error(
      `${missing().join(" and ")} missing after \`npm ci\` in test/runtimes: the tests run a program there too (Linux x64, glibc); ` +
        "`npm run test:node -- <part of a path>` runs chosen tests without them.",
    );
  }
}
