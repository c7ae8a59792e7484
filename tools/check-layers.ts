/**
 * Checks who imports whom: a file of src imports only from its own layer or a lower one, and needs no Node at load time; a file
 * of a package imports what `package-imports.ts` says.
 */
import { posix } from "node:path";
import ts from "typescript";
import { judgePackageImport } from "./package-imports.ts";
import type { Violation } from "./source-check.ts";

/** The folders of src from the lowest layer to the highest; folders on one line must not import each other. */
const layers: readonly (readonly string[])[] = [
  ["base"],
  ["ir"],
  ["graph"],
  ["primitives"],
  ["transforms", "compiler"],
  ["backends"],
  ["array"],
  ["nn", "optimizers"],
  ["train", "webgpu", "worker"],
  ["command"],
];

/** The only files that re-export, one for each public entry; nothing in src imports them. */
const entries: ReadonlySet<string> = new Set([
  "src/index.ts",
  "src/nn/index.ts",
  "src/optimizers/index.ts",
  "src/train/index.ts",
  "src/webgpu/index.ts",
  "src/worker/index.ts",
]);

/** Files that may load Node's own modules, and only when asked: `await import("node:…")`. */
const nodeFiles: ReadonlySet<string> = new Set([
  "src/backends/wasm/threads.ts",
  "src/backends/wasm/worker.ts",
  "src/backends/wasm/pool.ts",
  "src/array/files.ts",
  "src/train/checkpoint.ts",
  "src/train/run-files.ts",
  "src/command/mlx-ts.ts",
]);

/**
 * What every file called `*-part.ts` imports first, whatever its layer. A bundler makes a chunk of all modules that the same
 * entries need; as every part needs what a page starts with, that is one chunk instead of a dozen, and 8 % smaller.
 */
const startFile = "src/array/methods.ts";

/** Files that load a package which is perhaps not there, by a name that bundlers do not see. */
const loaderFiles: ReadonlySet<string> = new Set(["src/backends/webgpu/adapter.ts", "src/command/mlx-ts.ts"]);

const bannedFileNames: ReadonlySet<string> = new Set(["utils.ts", "helpers.ts", "types.ts"]);

/** The layer rules a file breaks, given its path from the root and its text. */
export function findLayerViolations(path: string, text: string): readonly Violation[] {
  const violations: Violation[] = [];
  const sourceFile = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const report = (position: number, message: string): void => {
    const line = sourceFile.getLineAndCharacterOfPosition(position).line + 1;
    violations.push({ place: `${path}:${line}`, message });
  };

  const fileName = posix.basename(path);
  if (bannedFileNames.has(fileName)) report(0, `a file is named by its concept, never ${fileName}`);
  if (fileName === "index.ts" && !isEntry(path)) report(0, "barrel file: only the public entries are called index.ts");
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)?\.ts$/.test(fileName)) report(0, "file names are kebab-case");

  const imported = new Set(sourceFile.statements.flatMap(importedNames));
  for (const statement of sourceFile.statements) {
    if (isReExport(statement, imported) && !isEntry(path)) {
      report(
        statement.getStart(sourceFile),
        "re-export: only the public entries re-export, import from the file itself",
      );
    }
  }
  const imports = listImports(sourceFile);
  const isPart = fileName.endsWith("-part.ts");
  if (isPart && targetOf(path, imports[0]?.specifier ?? "") !== startFile)
    report(0, `a part imports ${startFile} first`);
  for (const { specifier, position, isDynamic } of imports) {
    if (specifier === undefined) {
      if (!loaderFiles.has(path)) report(position, "import() of a computed name: what it loads cannot be checked");
      continue;
    }
    if (isPart && targetOf(path, specifier) === startFile) continue;
    const judge = path.startsWith("packages/") ? judgePackageImport : judgeImport;
    const message = judge(path, specifier, isDynamic);
    if (message !== undefined) report(position, message);
  }
  return violations;
}

/** Whether a file is what others import by a package's name. */
function isEntry(path: string): boolean {
  return entries.has(path) || /^packages\/[^/]+\/src\/index\.ts$/.test(path);
}

/** Whether a statement exports what another file declares, in one step or after it was imported. */
function isReExport(statement: ts.Statement, imported: ReadonlySet<string>): boolean {
  if (!ts.isExportDeclaration(statement)) return false;
  if (statement.moduleSpecifier !== undefined) return true;
  const { exportClause } = statement;
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) return false;
  return exportClause.elements.some(({ name, propertyName }) => imported.has((propertyName ?? name).text));
}

function importedNames(statement: ts.Statement): readonly string[] {
  if (!ts.isImportDeclaration(statement)) return [];
  const bindings = statement.importClause?.namedBindings;
  return bindings && ts.isNamedImports(bindings) ? bindings.elements.map(({ name }) => name.text) : [];
}

interface Import {
  /** Undefined if it is computed. */
  readonly specifier: string | undefined;
  readonly position: number;
  readonly isDynamic: boolean;
}

function listImports(sourceFile: ts.SourceFile): readonly Import[] {
  const imports: Import[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      if (ts.isStringLiteral(node.moduleSpecifier)) {
        imports.push({ specifier: node.moduleSpecifier.text, position: node.getStart(sourceFile), isDynamic: false });
      }
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      const specifier = argument !== undefined && ts.isStringLiteralLike(argument) ? argument.text : undefined;
      imports.push({ specifier, position: node.getStart(sourceFile), isDynamic: true });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) {
        imports.push({ specifier: node.argument.literal.text, position: node.getStart(sourceFile), isDynamic: false });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceFile);
  return imports;
}

function targetOf(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

function judgeImport(path: string, specifier: string, isDynamic: boolean): string | undefined {
  if (specifier.startsWith("node:")) {
    if (!isDynamic) return `"${specifier}" at load time: browsers load this file too; import it when it is needed`;
    return nodeFiles.has(path)
      ? undefined
      : `"${specifier}": this file is not listed as one that may use Node's modules`;
  }
  if (!specifier.startsWith(".")) return `"${specifier}": the root package has no dependency`;
  if (!specifier.endsWith(".ts")) return `"${specifier}": imports of own files end in .ts`;
  const target = targetOf(path, specifier);
  if (!target.startsWith("src/")) return `"${specifier}" lies outside of src`;
  if (entries.has(path)) return undefined;
  if (entries.has(target)) return `"${specifier}" is a public entry: import from the file itself`;
  return judgeLayers(path, target);
}

function judgeLayers(path: string, target: string): string | undefined {
  const folder = folderOf(path);
  const targetFolder = folderOf(target);
  const layer = layerOf(folder);
  const targetLayer = layerOf(targetFolder);
  if (layer < 0) return `${folder || "src"} is no layer: files lie in a layer's folder`;
  if (targetLayer < 0) return `${target} lies in no layer`;
  if (targetLayer > layer) return `${folder} must not import from the higher layer ${targetFolder}`;
  if (targetLayer === layer && targetFolder !== folder)
    return `${folder} and ${targetFolder} must not import each other`;
  const [backend, targetBackend] = [backendOf(path), backendOf(target)];
  if (backend !== undefined && targetBackend !== undefined && backend !== targetBackend) {
    return `the backends ${backend} and ${targetBackend} must not import each other`;
  }
  return undefined;
}

function folderOf(path: string): string {
  const parts = path.split("/");
  return parts.length > 2 ? (parts[1] ?? "") : "";
}

function layerOf(folder: string): number {
  return layers.findIndex((folders) => folders.includes(folder));
}

function backendOf(path: string): string | undefined {
  return /^src\/backends\/([^/]+)\//.exec(path)?.[1];
}
