/** Checks that src does not overrule the compiler or the linter: a type assertion stands only where this file says why it must. */
import ts from "typescript";
import type { Violation } from "./source-check.ts";

/** The declarations that may contain `as`, written `path#name`, and why each has to. */
const allowedCasts: ReadonlyMap<string, string> = new Map([
  ["src/base/dtype.ts#dtypes", "the keys of the table are the dtypes, which Object.keys does not say"],
  ["src/base/tree.ts#typedTree", "a tree rebuilt leaf by leaf has the type of the tree it was built from"],
]);

const silencer = /(?:\/\/|\/\*)\s*(?:@ts-(?:expect-error|ignore|nocheck)|biome-ignore)\b.*/;

/** The type assertions of a file that nothing allows, `as const` asserts nothing; and comments that silence a complaint. */
export function findCasts(path: string, text: string): readonly Violation[] {
  const violations = text.split("\n").flatMap((line, index): readonly Violation[] => {
    const [comment] = silencer.exec(line) ?? [];
    return comment === undefined
      ? []
      : [{ place: `${path}:${index + 1}`, message: `silences a complaint: ${comment}` }];
  });
  const sourceFile = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (isCast(node) && !enclosingNames(node).some((name) => allowedCasts.has(`${path}#${name}`))) {
      const line = sourceFile.getLineAndCharacterOfPosition(node.getStart(sourceFile)).line + 1;
      const excerpt = node.getText(sourceFile).replace(/\s+/g, " ").slice(0, 80);
      violations.push({ place: `${path}:${line}`, message: `type assertion: ${excerpt}` });
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceFile);
  return violations;
}

function isCast(node: ts.Node): boolean {
  if (ts.isTypeAssertionExpression(node)) return true;
  return ts.isAsExpression(node) && node.type.getText() !== "const";
}

function enclosingNames(node: ts.Node): readonly string[] {
  const names: string[] = [];
  for (let current = node; !ts.isSourceFile(current); current = current.parent) {
    if (ts.isFunctionDeclaration(current) || ts.isMethodDeclaration(current) || ts.isVariableDeclaration(current)) {
      names.push(current.name?.getText() ?? "default");
    }
  }
  return names;
}
