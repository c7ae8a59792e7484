/** Checks that every file of src opens with its purpose and that every export has a docstring. */
import ts from "typescript";
import type { Violation } from "./source-check.ts";

/** The exports of a file that have no docstring, and the file itself when it does not say what it is for. */
export function findUndocumented(path: string, text: string): readonly Violation[] {
  const violations: Violation[] = [];
  const sourceFile = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  if (!/^(#!.*\n)?\/\*\*[^/]*\w/.test(text))
    violations.push({ place: `${path}:1`, message: "opens with no sentence on its purpose" });

  const documented = new Set<string>();
  const undocumented = new Map<string, number>();
  for (const statement of sourceFile.statements) {
    if (!isExported(statement)) continue;
    const hasDocstring = countDocstrings(statement, text) > (statement === sourceFile.statements[0] ? 1 : 0);
    for (const name of namesOf(statement, sourceFile)) {
      // One docstring serves all overloads of a function.
      if (hasDocstring) documented.add(name);
      else if (!undocumented.has(name)) undocumented.set(name, statement.getStart(sourceFile));
    }
  }
  for (const [name, position] of undocumented) {
    if (documented.has(name)) continue;
    const line = sourceFile.getLineAndCharacterOfPosition(position).line + 1;
    violations.push({ place: `${path}:${line}`, message: `export ${name} has no docstring` });
  }
  return violations;
}

function isExported(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true;
  // `export { a } from "./a.ts"` is documented where it is written.
  if (ts.isExportDeclaration(statement)) return statement.moduleSpecifier === undefined;
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false)
  );
}

function countDocstrings(statement: ts.Statement, text: string): number {
  const comments = ts.getLeadingCommentRanges(text, statement.getFullStart()) ?? [];
  return comments.filter(({ pos, end }) => /^\/\*\*[\s\S]*\w/.test(text.slice(pos, end))).length;
}

function namesOf(statement: ts.Statement, sourceFile: ts.SourceFile): readonly string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText(sourceFile));
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  ) {
    return [statement.name?.text ?? "default"];
  }
  return [statement.getText(sourceFile).split("\n", 1)[0] ?? ""];
}
