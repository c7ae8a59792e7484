/** Checks that every public function and class has an example in its docstring. */
import { relative } from "node:path";
import ts from "typescript";
import { listEntries, listPublicExports } from "./public-exports.ts";
import { rootPath } from "./root.ts";
import type { Violation } from "./source-check.ts";

/** The entries that run in Node alone: examples run in Chromium too. */
const nodeEntries: ReadonlySet<string> = new Set(["packages/studio/src/server/serve.ts"]);

/** Prints the public functions and classes without an example and returns whether there are none. */
export function checkPublicExamples(): boolean {
  const violations = findWithoutExample(listEntries().filter((path) => !nodeEntries.has(path)));
  for (const { place, message } of violations) console.error(`${place}  ${message}`);
  return violations.length === 0;
}

/** The functions and classes without an example among what the entries, paths from `root`, export. */
export function findWithoutExample(entries: readonly string[], root: string = rootPath): readonly Violation[] {
  const seen = new Set<ts.Declaration>();
  return listPublicExports(entries, root).flatMap(({ name, isCallable, declarations }) => {
    const [declaration] = declarations;
    if (!isCallable || declaration === undefined || seen.has(declaration) || declarations.some(hasExample)) return [];
    seen.add(declaration);
    const file = declaration.getSourceFile();
    const { line } = file.getLineAndCharacterOfPosition(declaration.getStart(file));
    const place = `${relative(root, file.fileName).replaceAll("\\", "/")}:${line + 1}`;
    return [{ place, message: `public ${name} has no @example in its docstring` }];
  });
}

function hasExample(declaration: ts.Declaration): boolean {
  return ts.getJSDocTags(declaration).some(({ tagName, comment }) => tagName.text === "example" && Boolean(comment));
}
