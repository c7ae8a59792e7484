/** The tests of the GPU backend go into one file, for machines with a GPU and without this repository. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { listTypeScriptFiles, rootPath } from "../../tools/root.ts";

it("all of them are in the bundle", () => {
  const folder = mkdtempSync(join(tmpdir(), "gpu-tests-"));
  try {
    const target = join(folder, "gpu-tests.mjs");
    execFileSync(process.execPath, ["--import", "tsx", "tools/bundle-gpu-tests.ts", target], { cwd: rootPath });
    const bundle = readFileSync(target, "utf8");
    const files = listTypeScriptFiles("test/webgpu").filter((name) => name.endsWith(".test.ts"));
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((name) => !bundle.includes(`"${name}"`))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
