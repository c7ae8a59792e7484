/** The layer check refuses what it says it refuses. */
import { describe, expect, it } from "vitest";
import { findLayerViolations } from "../../tools/check-layers.ts";
import { judgePackageImport } from "../../tools/package-imports.ts";

function messages(path: string, text: string): readonly string[] {
  return findLayerViolations(path, text).map(({ place, message }) => `${place} ${message}`);
}

describe("layer check", () => {
  it("lets a file import from its own layer and from lower ones", () => {
    const text = 'import { a } from "./a.ts";\nimport type { B } from "../base/b.ts";\n';
    expect(messages("src/array/reading.ts", text)).toEqual([]);
  });

  it("refuses a higher layer, types included, and names the line", () => {
    const text = '/** x */\nimport type { A } from "../array/a.ts";\n';
    expect(messages("src/ir/expr.ts", text)).toEqual([
      "src/ir/expr.ts:2 ir must not import from the higher layer array",
    ]);
  });

  it("keeps folders of one layer apart, and the backends", () => {
    expect(messages("src/compiler/fuse.ts", 'import "../transforms/vjp.ts";')).toHaveLength(1);
    expect(messages("src/backends/wasm/a.ts", 'import "../reference/b.ts";')).toHaveLength(1);
    expect(messages("src/backends/wasm/a.ts", 'import "../conformance.ts";')).toEqual([]);
  });

  it("refuses Node's modules at load time, and on request too where they are not expected", () => {
    expect(messages("src/array/files.ts", 'import { readFile } from "node:fs/promises";')).toHaveLength(1);
    expect(messages("src/array/files.ts", 'await import("node:fs/promises");')).toEqual([]);
    expect(messages("src/array/random.ts", 'await import("node:fs/promises");')).toHaveLength(1);
    expect(messages("src/array/random.ts", "await import(`node:fs/promises`);")).toHaveLength(1);
    expect(messages("src/array/random.ts", "await import(name);")).toHaveLength(1);
  });

  it("refuses dependencies, barrels, re-exports and names that say nothing", () => {
    expect(messages("src/base/a.ts", 'import "lodash";')).toHaveLength(1);
    expect(messages("src/base/index.ts", "")).toHaveLength(1);
    expect(messages("src/base/a.ts", 'export { b } from "./b.ts";')).toHaveLength(1);
    expect(messages("src/base/a.ts", 'import { b } from "./b.ts";\nexport { b };')).toHaveLength(1);
    expect(messages("src/base/a.ts", "const b = 1;\nexport { b };")).toEqual([]);
    expect(messages("src/base/utils.ts", "")).toHaveLength(1);
    expect(messages("src/index.ts", 'export { b } from "./base/b.ts";')).toEqual([]);
  });
});

describe("imports of packages", () => {
  const path = "packages/monitor/src/history.ts";
  const declared = (): ReadonlySet<string> => new Set(["mlx-ts", "@preact/signals-core"]);

  it("lets a file import its neighbours, mlx-ts, and what the manifest declares", () => {
    for (const specifier of ["./a.ts", "mlx-ts/train", "@preact/signals-core"])
      expect(judgePackageImport(path, specifier, false, declared)).toBeUndefined();
  });

  it("refuses what is not declared, other packages' files, and the package's own entry", () => {
    for (const specifier of ["uplot", "@mlx-ts/studio", "../../studio/src/a.ts", "../../../src/index.ts", "./index.ts"])
      expect(judgePackageImport(path, specifier, false, declared)).toContain(specifier);
  });

  it("keeps Node's modules to files that are for Node alone, or to when they are needed", () => {
    expect(judgePackageImport(path, "node:fs", false, declared)).toContain("at load time");
    expect(judgePackageImport(path, "node:fs", true, declared)).toBeUndefined();
    expect(judgePackageImport("packages/studio/src/server/serve.ts", "node:http", false, declared)).toBeUndefined();
  });

  it("has every part begin with what a page starts with", () => {
    const start = 'import "../array/methods.ts";\n';
    expect(messages("src/primitives/a-part.ts", `${start}import { b } from "./b.ts";`)).toEqual([]);
    expect(messages("src/primitives/a-part.ts", 'import { b } from "./b.ts";')).toHaveLength(1);
    expect(messages("src/primitives/a.ts", start)).toHaveLength(1);
  });
});
