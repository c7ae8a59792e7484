/**
 * Checks that what callers pass admits an explicit undefined wherever a member is optional.
 *
 * Under `exactOptionalPropertyTypes` a member `mask?: T` refuses a variable that may be undefined;
 * `mask?: T | undefined` takes it.
 */
import { relative } from "node:path";
import ts from "typescript";
import { listEntries, listPublicExports } from "./public-exports.ts";
import { rootPath } from "./root.ts";
import type { Violation } from "./source-check.ts";

/** Prints the optional members that refuse undefined and returns whether there are none. */
export function checkOptionalMembers(): boolean {
  const violations = findExactMembers(listEntries());
  for (const { place, message } of violations) console.error(`${place}  ${message}`);
  return violations.length === 0;
}

/** The optional members that refuse undefined among what the exports of the entries, paths from `root`, take. */
export function findExactMembers(entries: readonly string[], root: string = rootPath): readonly Violation[] {
  const walk = new Walk();
  for (const { checker, declarations } of listPublicExports(entries, root)) {
    for (const declaration of declarations) walk.visitExport(declaration, checker);
  }
  return [...walk.exact].map((member) => {
    const file = member.getSourceFile();
    const { line } = file.getLineAndCharacterOfPosition(member.getStart(file));
    const place = `${relative(root, file.fileName).replaceAll("\\", "/")}:${line + 1}`;
    return { place, message: `${member.name.getText(file)} refuses an explicit undefined: write "?: … | undefined"` };
  });
}

type Member = ts.PropertySignature | ts.PropertyDeclaration;

/** Follows types as they are written, each declaration once. */
class Walk {
  readonly exact: Set<Member> = new Set();
  readonly #visited = new Set<ts.Node>();

  /** A function takes its parameters; a class those of its methods, and what is written to its fields. */
  visitExport(declaration: ts.Node, checker: ts.TypeChecker): void {
    if (ts.isFunctionLike(declaration)) {
      for (const { type, initializer } of declaration.parameters) this.#visitTaken(type ?? initializer, checker);
    } else if (ts.isVariableDeclaration(declaration)) {
      for (const part of [declaration.type, declaration.initializer]) if (part) this.visitExport(part, checker);
    } else if (ts.isClassLike(declaration)) {
      for (const member of declaration.members) this.#visitMember(member, checker);
    } else if (ts.isInterfaceDeclaration(declaration)) {
      for (const member of declaration.members) this.visitExport(member, checker);
    } else if (ts.isTypeReferenceNode(declaration)) {
      for (const named of declarationsOf(declaration.typeName, checker)) {
        if (ts.isTypeAliasDeclaration(named)) this.visitExport(named.type, checker);
        if (ts.isInterfaceDeclaration(named)) this.visitExport(named, checker);
      }
    }
  }

  #visitMember(member: ts.ClassElement, checker: ts.TypeChecker): void {
    if (isHidden(member)) return;
    const isWritable = (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Readonly) === 0;
    if (ts.isPropertyDeclaration(member) && isWritable) this.#visitTaken(member, checker);
    this.visitExport(member, checker);
  }

  /** What is passed in; the parameters of a function in there are passed out. */
  #visitTaken(node: ts.Node | undefined, checker: ts.TypeChecker): void {
    if (node === undefined || this.#visited.has(node)) return;
    this.#visited.add(node);
    if (ts.isFunctionLike(node)) {
      this.#visitTaken(node.type, checker);
      return;
    }
    if ((ts.isPropertySignature(node) || ts.isPropertyDeclaration(node)) && isExact(node)) this.exact.add(node);
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const name = ts.isTypeReferenceNode(node) ? node.typeName : node.expression;
      for (const named of declarationsOf(name, checker)) if (!ts.isClassLike(named)) this.#visitTaken(named, checker);
    }
    ts.forEachChild(node, (child) => this.#visitTaken(child, checker));
  }
}

function isHidden(member: ts.ClassElement): boolean {
  const isPrivate = (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0;
  const isInternal = ts.getJSDocTags(member).some(({ tagName }) => tagName.text === "internal");
  return isPrivate || isInternal || (member.name !== undefined && ts.isPrivateIdentifier(member.name));
}

function isExact({ questionToken, type }: Member): boolean {
  const parts = type === undefined ? [] : ts.isUnionTypeNode(type) ? type.types : [type];
  const isOpen = parts.some(
    ({ kind }) => kind === ts.SyntaxKind.UndefinedKeyword || kind === ts.SyntaxKind.UnknownKeyword,
  );
  return questionToken !== undefined && !isOpen;
}

function declarationsOf(name: ts.Node, checker: ts.TypeChecker): readonly ts.Declaration[] {
  const symbol = checker.getSymbolAtLocation(name);
  const isAlias = symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0;
  return (isAlias ? checker.getAliasedSymbol(symbol) : symbol)?.declarations ?? [];
}
