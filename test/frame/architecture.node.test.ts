/** ARCHITECTURE.md names the files that there are, and shows the kernel that is made. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";
import { printKernel } from "../../src/ir/print.ts";
import { listTypeScriptFiles, rootPath } from "../../tools/root.ts";
import { kernelOf } from "../setup/planned-kernels.ts";

const text = readFileSync(join(rootPath, "ARCHITECTURE.md"), "utf8");
const files = listTypeScriptFiles("src");

/** Folders whose files the map has one by one; of others it names some, or none. */
const mapped = /^src\/(ir|graph|primitives|transforms|compiler|backends\/(wasm|webgpu)|array)\//;

/** The files that a row of the map names, as patterns: a name without a folder lies in that of the name before it. */
function patternsOf(row: string): readonly string[] {
  let folder = "";
  return [...row.matchAll(/`([\w./*-]+\.ts)`/g)].map(([, name = ""]) => {
    if (name.includes("/")) folder = name.slice(0, name.lastIndexOf("/"));
    const path = name.includes("/") ? name : `${folder}/${name}`;
    return path.startsWith("src/") ? path : `src/${path}`;
  });
}

const rows = text.split("\n").filter((line) => /^\| `[\w/]+\/[\w*-]+\.ts`/.test(line));
const patterns = rows.flatMap(patternsOf);

function matches(file: string, pattern: string): boolean {
  return new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(file);
}

describe("the map of ARCHITECTURE.md", () => {
  it("names no file that is not there", () => {
    expect(patterns.length).toBeGreaterThan(200);
    expect(patterns.filter((pattern) => !files.some((file) => matches(file, pattern)))).toEqual([]);
  });

  it("has every file of the folders that it lists", () => {
    const named = ["src/array/methods.ts", "src/array/later-methods.ts", ...patterns];
    const missing = files.filter((file) => mapped.test(file) && !named.some((pattern) => matches(file, pattern)));
    expect(missing).toEqual([]);
  });
});

it("the kernel of a product with its activation is the one that is shown", async () => {
  const [a, b, bias] = [mx.full([128, 256], 0.5), mx.full([256, 64], 0.5), mx.full([64], 0.5)];
  await mx.evaluate(a, b, bias);
  const y = nn.gelu(a.matmul(b).add(bias));
  const printed = printKernel(kernelOf("contraction", y)).trim();
  expect(text).toContain(printed.replace(/^/gm, "   "));
  const { kernels, bytes } = mx.explain(y);
  expect(text).toContain(`here one kernel and ${bytes.toLocaleString("en")} bytes`);
  expect(kernels).toHaveLength(1);
});
