/** Documentation becomes tests: what counts as an example, and what its comments turn into. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { findUndocumented } from "../../tools/check-documentation.ts";
import { findWithoutExample } from "../../tools/check-public-examples.ts";
import { findDocstringExamples, findMarkdownExamples } from "../../tools/documentation-examples.ts";
import { translateExample } from "../../tools/translate-example.ts";

function translate(code: string): string {
  const lines = code.split("\n").map((_, index) => index + 1);
  const example = { path: "a.ts", line: 1, title: "", code, lines, seesPublicNames: true };
  return translateExample(example).statements.replace(/at\(\d+\);\n/g, "");
}

describe("finding examples", () => {
  it("an example ends at the next tag and knows the lines it came from", () => {
    const source =
      "/** File. */\n\n/**\n * Adds.\n * @example\n * add(1, 2); // 3\n * @returns x\n */\nexport function add() {}\n";
    const [example, ...more] = findDocstringExamples("a.ts", source);
    expect(more).toEqual([]);
    expect(example).toMatchObject({ title: "add", line: 6, seesPublicNames: true });
    expect(example?.code.trim()).toBe("add(1, 2); // 3");
  });

  it("a fence around an example is optional, and members have examples too", () => {
    const source =
      "/** File. */\nclass A {\n  /**\n   * @example\n   * ```ts\n   * f();\n   * ```\n   */\n  f() {}\n}\n";
    expect(findDocstringExamples("a.ts", source).map(({ code, line, title }) => [code, line, title])).toEqual([
      ["f();", 6, "f"],
    ]);
  });

  it("Markdown gives its ts blocks, and a continued one shares the scope of the block before", () => {
    const text = "# Use\n```sh\nls\n```\n```ts\na;\n```\ntext\n```ts continued\nb;\n```\n```ts\nc;\n```\n";
    expect(findMarkdownExamples("README.md", text).map(({ code, lines }) => [code, lines])).toEqual([
      ["a;\nb;", [6, 10]],
      ["c;", [13]],
    ]);
  });
});

describe("reading expectations", () => {
  it("a value after a statement is what it equals", () => {
    expect(translate("f(); // 3")).toBe("await check.equals(await (f()), 3);");
    expect(translate("f(); // [1, -2, NaN]")).toBe("await check.equals(await (f()), [1, -2, NaN]);");
    expect(translate("f(); // ≈ [0.8485]")).toBe("await check.approximates(await (f()), [0.8485]);");
    expect(translate("f(); // throws ShapeError")).toBe('await check.throws("ShapeError", async () => { f(); });');
  });

  it("what console.log prints is the value's text, over several lines if need be", () => {
    const expected = JSON.stringify("array([[1],\n       [2]], dtype=float32)");
    const code = "console.log(x);\n// array([[1],\n//        [2]], dtype=float32)";
    expect(translate(code)).toBe(`await check.prints(await (x), ${expected});`);
  });

  it("other comments are remarks", () => {
    expect(translate("f(); // recorded, not computed")).toBe("f();");
    expect(translate("const y = f(); // 3 things")).toBe("const y = f();");
  });

  it("an expectation that is no literal is refused with its line", () => {
    expect(() => translate("\nf(); // [1, two]")).toThrow("a.ts:2: not a value to compare with: [1, two]");
  });
});

describe("docstring check", () => {
  it("the sentence a file opens with is no docstring of its first export", () => {
    expect(findUndocumented("a.ts", "/** File. */\nexport const a = 1;\n")).toHaveLength(1);
    expect(findUndocumented("a.ts", "/** File. */\n\n/** One. */\nexport const a = 1;\n")).toEqual([]);
    expect(findUndocumented("a.ts", "/** File. */\n\n/** */\nexport const a = 1;\n")).toHaveLength(1);
    expect(findUndocumented("a.ts", 'import "b";\n/** One. */\nexport const a = 1;\n')).toEqual([
      { place: "a.ts:1", message: "opens with no sentence on its purpose" },
    ]);
  });

  it("one docstring serves the overloads of a function", () => {
    const text = '/** File. */\nimport "b";\n/** F. */\nexport function f(a: 1): void;\nexport function f(): void {}\n';
    expect(findUndocumented("a.ts", text)).toEqual([]);
  });
});

describe("check of public examples", () => {
  /** What the check says of an entry `index.ts` beside other files. */
  function withoutExample(files: Readonly<Record<string, string>>): readonly string[] {
    const folder = mkdtempSync(join(tmpdir(), "mlx-ts-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return findWithoutExample(["index.ts"], folder).map(({ place, message }) => `${place} ${message}`);
  }
  const shown = "/**\n * Does.\n *\n * @example\n * f(); // 1\n */\n";

  it("functions, classes and what can be called want one, where they are written, once", () => {
    const parts = `/** Parts. */\n\n/** F. */\nexport function f() {}\nexport class C {}\n${shown}export class D extends C {}\n`;
    const found = withoutExample({
      "index.ts": 'export { C, D, f, f as g } from "./parts.ts";\nexport const h: (x: number) => number = (x) => x;\n',
      "parts.ts": parts,
    });
    const message = (name: string): string => `public ${name} has no @example in its docstring`;
    expect(found).toEqual([`parts.ts:5 ${message("C")}`, `parts.ts:4 ${message("f")}`, `index.ts:2 ${message("h")}`]);
  });

  it("those of a namespace want one, too", () => {
    const files = {
      "index.ts": 'export * as draw from "./draw.ts";\n',
      "draw.ts": `${shown}export const line = () => 1;\nexport const arc = () => 2;\n`,
    };
    expect(withoutExample(files)).toEqual(["draw.ts:8 public draw.arc has no @example in its docstring"]);
  });

  it("an example of one overload serves all; one without code is none", () => {
    const overloads = "export function f(a: 1): void;\nexport function f(): void {}\n";
    expect(withoutExample({ "index.ts": `/** File. */\nimport "b";\n${shown}${overloads}` })).toEqual([]);
    expect(withoutExample({ "index.ts": "/**\n * F.\n * @example\n */\nexport function f() {}\n" })).toHaveLength(1);
  });

  it("types and values that nobody calls need none", () => {
    const text = "export interface I { (): void }\nexport const one = 1;\nclass C {}\nexport type { C };\n";
    expect(withoutExample({ "index.ts": text })).toEqual([]);
  });
});
