/** What the checks of source files have in common: they read each file of src and of the packages and report places. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { listPackages, listTypeScriptFiles, rootPath } from "./root.ts";

/** One broken rule: `path:line` and what is wrong. */
export interface Violation {
  readonly place: string;
  readonly message: string;
}

/** Runs a check over every file of src and of the packages, prints what is wrong and returns whether all is well. */
export function checkSources(findViolations: (path: string, text: string) => readonly Violation[]): boolean {
  const folders = ["src", ...listPackages().map((folder) => `${folder}/src`)];
  const violations = folders
    .flatMap(listTypeScriptFiles)
    .flatMap((path) => findViolations(path, readFileSync(join(rootPath, path), "utf8")));
  for (const { place, message } of violations) console.error(`${place}  ${message}`);
  return violations.length === 0;
}
