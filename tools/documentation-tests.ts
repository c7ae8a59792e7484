/**
 * Turns the documentation into tests in `test/.generated`: every `@example` in src and in packages, and every ```ts block of
 * README.md and of pages of docs. CONTRIBUTING.md says how an example states what it expects.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Example, findDocstringExamples, findMarkdownExamples } from "./documentation-examples.ts";
import { startingBundles, writeDocumentationFiles } from "./documentation-files.ts";
import { listPublicExports } from "./public-exports.ts";
import { listPackages, listTypeScriptFiles, rootPath } from "./root.ts";
import { translateExample } from "./translate-example.ts";

/** Where the generated tests lie, from the repository's root. */
const generatedFolder = "test/.generated";

const entryPath = "src/index.ts";

/** The Markdown files whose blocks run where the docstrings' examples do, and those whose blocks need a GPU. */
const documents = ["README.md", "docs/recipes.md", "docs/live-training.md", "docs/concurrency.md"];
const gpuDocuments = ["docs/gpu.md"];

/** The namespaces that every docstring's example sees; a block in a Markdown file writes its own imports. */
const namespaces: readonly (readonly [name: string, module: string, path: string])[] = [
  ["mx", "mlx-ts", entryPath],
  ["nn", "mlx-ts/nn", "src/nn/index.ts"],
  ["optim", "mlx-ts/optimizers", "src/optimizers/index.ts"],
  ["train", "mlx-ts/train", "src/train/index.ts"],
  ["worker", "mlx-ts/worker", "src/worker/index.ts"],
];

/**
 * Writes the generated tests.
 *
 * @throws {Error} if there is no entry file yet, or an example is malformed, naming its file and line
 */
export function generateDocumentationTests(): void {
  if (!existsSync(join(rootPath, entryPath)))
    throw new Error(`${entryPath} does not exist: there is nothing to document`);
  const folders = ["src", ...listPackages().map((folder) => `${folder}/src`)];
  const read = (path: string): string => readFileSync(join(rootPath, path), "utf8");
  const blocksOf = (path: string): readonly Example[] => findMarkdownExamples(path, read(path));
  const docstrings = folders.flatMap(listTypeScriptFiles).flatMap((path) => findDocstringExamples(path, read(path)));

  const generated = join(rootPath, generatedFolder);
  mkdirSync(generated, { recursive: true });
  writeDocumentationFiles("docs/concurrency.md", generatedFolder);
  writeFileSync(join(generated, "documentation.test.ts"), assemble([...docstrings, ...documents.flatMap(blocksOf)]));
  writeFileSync(join(generated, "gpu-documentation.test.ts"), assemble(gpuDocuments.flatMap(blocksOf)));
}

function assemble(examples: readonly Example[]): string {
  const isTypeByName = new Map(listPublicExports([entryPath]).map(({ name, isType }) => [name, isType]));
  const imports = new ImportTable();
  for (const [name, module, path] of namespaces) {
    if (existsSync(join(rootPath, path))) imports.add(name, `import * as ${name} from "${module}";`, "the generator");
  }
  const tests = examples.map((example) => {
    const { statements, imported, usedNames } = translateExample(example);
    for (const { localName, text } of imported) imports.add(localName, text, example.path);
    if (example.seesPublicNames) {
      for (const name of usedNames) {
        const isType = isTypeByName.get(name);
        if (isType === undefined) continue;
        imports.add(name, `import { ${isType ? "type " : ""}${name} } from "mlx-ts";`, example.path);
      }
    }
    return [
      `it(${JSON.stringify(`${example.path}:${example.line} ${example.title}`)}, () =>`,
      `  runExample(${JSON.stringify(example.path)}, async (at, check) => {`,
      startingBundles(statements),
      "  }));",
    ].join("\n");
  });
  return [
    "/** Generated from the documentation by tools/documentation-tests.ts. */",
    'import { it } from "vitest";',
    'import { runExample } from "../setup/documentation.ts";',
    ...imports.lines(),
    "",
    ...tests,
    "",
  ].join("\n");
}

/** The imports of the generated file: all examples share them, so one name means one thing. */
class ImportTable {
  readonly #textByName = new Map<string, string>();

  add(localName: string, text: string, path: string): void {
    const known = this.#textByName.get(localName) ?? text;
    const asValue = (statement: string): string =>
      statement.replace("import type {", "import {").replace("{ type ", "{ ");
    if (asValue(known) !== asValue(text)) {
      throw new Error(`${path}: the examples disagree on what ${localName} is: \`${known}\` and \`${text}\``);
    }
    // An import as a value serves those who need the type only.
    this.#textByName.set(localName, known === asValue(known) ? known : text);
  }

  lines(): readonly string[] {
    return [...this.#textByName.values()];
  }
}
