/** Finds the examples in docstrings and in Markdown, with the line each of their lines comes from. */
import ts from "typescript";

/** One example: TypeScript that ran somewhere in a document. */
export interface Example {
  /** The document, from the repository's root. */
  readonly path: string;
  /** The line of the document on which the example begins, from 1. */
  readonly line: number;
  /** What it documents. */
  readonly title: string;
  readonly code: string;
  /** The document's line of each line of `code`. */
  readonly lines: readonly number[];
  /** Whether it sees every public export without an import of its own. */
  readonly seesPublicNames: boolean;
}

interface Line {
  readonly text: string;
  readonly number: number;
}

/** The `@example` blocks of a source file's docstrings; a fence around the code is optional. */
export function findDocstringExamples(path: string, text: string): Example[] {
  const sourceFile = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const examples: Example[] = [];
  const seen = new Set<number>();
  const visit = (node: ts.Node): void => {
    for (const comment of ts.getJSDocCommentsAndTags(node)) {
      if (!ts.isJSDoc(comment) || seen.has(comment.pos)) continue;
      seen.add(comment.pos);
      const firstLine = sourceFile.getLineAndCharacterOfPosition(comment.pos).line + 1;
      for (const block of findExampleBlocks(comment.getText(sourceFile), firstLine)) {
        examples.push(toExample(path, nameOf(node), stripFence(block), true));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceFile);
  return examples;
}

/** The ```ts blocks of a Markdown file; one fenced as ```ts continued goes on in the scope of the block before it. */
export function findMarkdownExamples(path: string, text: string): Example[] {
  const blocks: { heading: string; lines: Line[] }[] = [];
  let heading = "";
  let fence: "ts" | "other" | undefined;
  for (const [index, content] of text.split("\n").entries()) {
    const opening = /^\s*```(.*)$/.exec(content);
    if (opening !== null && fence !== undefined) fence = undefined;
    else if (opening !== null) {
      const [language, ...flags] = (opening[1] ?? "").trim().split(/\s+/);
      const isFile = flags.some((flag) => flag.startsWith("file="));
      fence = !isFile && (language === "ts" || language === "typescript") ? "ts" : "other";
      if (fence === "ts" && !flags.includes("continued")) blocks.push({ heading, lines: [] });
    } else if (fence === "ts") blocks.at(-1)?.lines.push({ text: content, number: index + 1 });
    else if (fence === undefined && content.startsWith("#")) heading = content.replace(/^#+\s*/, "");
  }
  return blocks.map((block) => toExample(path, block.heading, block.lines, false));
}

/** Splits a docstring, comment signs and all, into the lines below each of its `@example` tags. */
function findExampleBlocks(comment: string, firstLine: number): readonly Line[][] {
  const blocks: Line[][] = [];
  let block: Line[] | undefined;
  let isFenced = false;
  for (const [index, raw] of comment.split("\n").entries()) {
    const text = raw.replace(/^\s*\/?\*+\/?[ \t]?/, "").replace(/\s*\*\/\s*$/, "");
    if (/^\s*```/.test(text)) isFenced = !isFenced;
    const tag = isFenced ? null : /^\s*@(\w+)\s*(.*)$/.exec(text);
    if (tag === null) block?.push({ text, number: firstLine + index });
    else if (tag[1] === "example") {
      block = [{ text: tag[2] ?? "", number: firstLine + index }];
      blocks.push(block);
    } else block = undefined;
  }
  return blocks;
}

/** Keeps what stands between fences, where there are any. */
function stripFence(lines: readonly Line[]): readonly Line[] {
  if (!lines.some(({ text }) => text.trimStart().startsWith("```"))) return lines;
  let isFenced = false;
  return lines.filter(({ text }) => {
    const isFence = text.trimStart().startsWith("```");
    if (isFence) isFenced = !isFenced;
    return isFenced && !isFence;
  });
}

function toExample(path: string, title: string, lines: readonly Line[], seesPublicNames: boolean): Example {
  return {
    path,
    title,
    seesPublicNames,
    line: lines.find(({ text }) => text.trim() !== "")?.number ?? lines[0]?.number ?? 1,
    code: lines.map(({ text }) => text).join("\n"),
    lines: lines.map(({ number }) => number),
  };
}

function nameOf(node: ts.Node): string {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations[0]?.name.getText() ?? "";
  const isNamed =
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isClassElement(node) ||
    ts.isTypeElement(node);
  return isNamed ? (node.name?.getText() ?? "") : "";
}
