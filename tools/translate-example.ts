/** Translates one example into the body of a test: statements stay, the comments that state a result become checks. */
import ts from "typescript";
import type { Example } from "./documentation-examples.ts";

/** The body of an example's test, and what its file has to import for it. */
export interface TranslatedExample {
  readonly statements: string;
  readonly imported: readonly { readonly localName: string; readonly text: string }[];
  /** Every identifier in it that it does not declare at its top level. */
  readonly usedNames: ReadonlySet<string>;
}

/**
 * Translates an example.
 *
 * @throws {Error} naming the line of an expectation that cannot be read
 */
export function translateExample(example: Example): TranslatedExample {
  const { code } = example;
  const sourceFile = ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest, true);
  const lineOf = (position: number): number => {
    const { line } = sourceFile.getLineAndCharacterOfPosition(position);
    return example.lines[line] ?? example.line;
  };

  const imported: { localName: string; text: string }[] = [];
  const statements: string[] = [];
  for (const statement of sourceFile.statements) {
    const line = lineOf(statement.getStart(sourceFile));
    if (ts.isImportDeclaration(statement)) {
      imported.push(...splitImport(statement, sourceFile));
      continue;
    }
    statements.push(`at(${line});`);
    const text = statement.getText(sourceFile);
    const expectation = ts.isExpressionStatement(statement) ? findExpectation(code, statement.end) : undefined;
    if (expectation === undefined || !ts.isExpressionStatement(statement)) statements.push(text);
    else statements.push(toCheck(statement.expression, text, expectation, `${example.path}:${line}`));
  }
  return { statements: statements.join("\n"), imported, usedNames: listUsedNames(sourceFile) };
}

/** One import for each local name, so that two examples may import the same thing. */
function splitImport(
  statement: ts.ImportDeclaration,
  sourceFile: ts.SourceFile,
): { localName: string; text: string }[] {
  const from = statement.moduleSpecifier.getText(sourceFile);
  const clause = statement.importClause;
  const bindings = clause?.namedBindings;
  if (clause === undefined || clause.name !== undefined || bindings === undefined) {
    throw new Error(`an example imports names or \`* as\` a name: ${statement.getText(sourceFile)}`);
  }
  if (ts.isNamespaceImport(bindings)) {
    return [{ localName: bindings.name.text, text: `import * as ${bindings.name.text} from ${from};` }];
  }
  return bindings.elements.map((element) => {
    const isType = clause.phaseModifier === ts.SyntaxKind.TypeKeyword && !element.isTypeOnly;
    // The whole import is of types, so that nothing runs the file.
    const keyword = isType ? "import type" : "import";
    return { localName: element.name.text, text: `${keyword} { ${element.getText(sourceFile)} } from ${from};` };
  });
}

/**
 * The expectation behind a statement: the comment at the end of its line, or the comment lines right below it.
 * A comment that does not look like a value is a remark.
 */
function findExpectation(code: string, end: number): string | undefined {
  const [trailing] = ts.getTrailingCommentRanges(code, end) ?? [];
  if (trailing !== undefined) return asExpectation([code.slice(trailing.pos, trailing.end)]);
  const below: string[] = [];
  for (const line of code.slice(end).split("\n").slice(1)) {
    if (!line.trimStart().startsWith("//")) break;
    below.push(line.trim());
  }
  return asExpectation(below);
}

const startsLikeValue = /^(≈|throws\s|array\(|[-+]?[\d.]|[[{"'`]|(true|false|null|undefined|NaN|-?Infinity)$)/;

function asExpectation(commentLines: readonly string[]): string | undefined {
  const text = commentLines.map((line) => line.replace(/^\/\/ ?/, "")).join("\n");
  return startsLikeValue.test(text) ? text.trimEnd() : undefined;
}

function toCheck(expression: ts.Expression, statement: string, expectation: string, place: string): string {
  const throws = /^throws\s+(\w+)\s*$/.exec(expectation);
  if (throws !== null) return `await check.throws("${throws[1]}", async () => { ${statement} });`;
  // What `console.log` would show is the value itself.
  const shown = printedArgument(expression) ?? expression;
  const value = `await (${shown.getText()})`;
  if (expectation.startsWith("array(")) return `await check.prints(${value}, ${JSON.stringify(expectation)});`;
  const isApproximate = expectation.startsWith("≈");
  const literal = isApproximate ? expectation.slice(1).trim() : expectation;
  assertLiteral(literal, place);
  return `await check.${isApproximate ? "approximates" : "equals"}(${value}, ${literal});`;
}

function printedArgument(expression: ts.Expression): ts.Expression | undefined {
  if (!ts.isCallExpression(expression) || expression.expression.getText() !== "console.log") return undefined;
  return expression.arguments.length === 1 ? expression.arguments[0] : undefined;
}

/** Throws unless the text is a literal: numbers, strings, booleans, and lists and objects of them. */
function assertLiteral(text: string, place: string): void {
  const parsed = ts.createSourceFile("literal.ts", `(${text})`, ts.ScriptTarget.Latest, true);
  const [statement, ...more] = parsed.statements;
  const isOne = statement !== undefined && more.length === 0 && ts.isExpressionStatement(statement);
  const isWhole = isOne && statement.expression.getText() === `(${text})`;
  if (!isWhole || !isLiteral(statement.expression)) throw new Error(`${place}: not a value to compare with: ${text}`);
}

function isLiteral(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isLiteral(node.expression);
  if (ts.isPrefixUnaryExpression(node)) return isLiteral(node.operand);
  if (ts.isArrayLiteralExpression(node)) return node.elements.every(isLiteral);
  if (ts.isObjectLiteralExpression(node)) {
    return node.properties.every((property) => ts.isPropertyAssignment(property) && isLiteral(property.initializer));
  }
  if (ts.isIdentifier(node)) return ["NaN", "Infinity", "undefined"].includes(node.text);
  const { kind } = node;
  const isKeyword =
    kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword || kind === ts.SyntaxKind.NullKeyword;
  return isKeyword || ts.isLiteralExpression(node);
}

function listUsedNames(sourceFile: ts.SourceFile): ReadonlySet<string> {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const isMember =
        (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isQualifiedName(parent) && parent.right === node) ||
        (ts.isPropertyAssignment(parent) && parent.name === node);
      if (!isMember) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceFile);
  for (const statement of sourceFile.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) collectBoundNames(name, declared);
    } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
      if (statement.name !== undefined) declared.add(statement.name.text);
    }
  }
  return new Set([...used].filter((name) => !declared.has(name)));
}

function collectBoundNames(name: ts.BindingName, names: Set<string>): void {
  if (ts.isIdentifier(name)) names.add(name.text);
  else {
    for (const element of name.elements) {
      if (ts.isBindingElement(element)) collectBoundNames(element.name, names);
    }
  }
}
