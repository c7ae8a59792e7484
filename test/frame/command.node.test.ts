/** `npx mlx-ts`: hands over to the studio where it is installed, or says how to install it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, it } from "vitest";
import { rootPath } from "../../tools/root.ts";

let folder = "";
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mlx-ts-command-"));
  await build({
    entryPoints: [join(rootPath, "src/command/mlx-ts.ts")],
    outfile: join(folder, "mlx-ts.mjs"),
    format: "esm",
    platform: "node",
  });
});
afterEach(() => rmSync(folder, { recursive: true }));

function run(...commandArguments: readonly string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, "mlx-ts.mjs"), ...commandArguments], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, text: `${stdout}${stderr}` };
}

it("says how to install the studio where it is missing", () => {
  const { status, text } = run("studio", "runs");
  expect(status).toBe(1);
  expect(text).toContain("npm install --save-dev @mlx-ts/studio");
});

it("hands its arguments to the studio of the reader's project", () => {
  const studio = join(folder, "node_modules/@mlx-ts/studio");
  mkdirSync(studio, { recursive: true });
  writeFileSync(
    join(studio, "package.json"),
    '{ "type": "module", "exports": { "./command": { "default": "./command.js" } } }',
  );
  writeFileSync(join(studio, "command.js"), "console.log(JSON.stringify(process.argv.slice(2)), import.meta.url);");
  const { status, text } = run("studio", "runs", "--port", "0");
  expect(status).toBe(0);
  expect(text).toBe(`["runs","--port","0"] ${pathToFileURL(join(studio, "command.js")).href}\n`);
});

it("tells what it can do, and what it cannot", () => {
  expect(run("--help")).toMatchObject({ status: 0, text: expect.stringContaining("mlx-ts studio [directory]") });
  expect(run("dance")).toMatchObject({ status: 1, text: expect.stringContaining("no command dance") });
});
