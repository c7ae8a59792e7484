/**
 * `npm run test:runtimes`: installs the packed package beside Deno and Bun (which npm has) in a folder of its own, and runs a small
 * program in Node, Deno and Bun, on the CPU and on a software GPU: Deno's own WebGPU, Dawn's package in the others.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootPath } from "./root.ts";
import { ensureLavapipe, vulkanDrivers } from "./vulkan.ts";

const packages = ["deno@2.9.6", "bun@1.4.5", "webgpu@0.6.2"];
const patienceMilliseconds = 120_000;

ensureLavapipe();
const folder = mkdtempSync(join(tmpdir(), "mlx-ts-runtimes-"));
let failed = 0;
let passed = 0;
try {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: rootPath, stdio: "inherit" });
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], { cwd: rootPath });
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  execFileSync("npm", ["install", ...options, `./${tarball}`, ...packages], { cwd: folder, stdio: "inherit" });
  copyFileSync(join(rootPath, "tools/runtimes/program.mjs"), join(folder, "program.mjs"));
  for (const [name, path, ...args] of [
    ["node", process.execPath],
    ["deno", binaryIn("@deno", "deno"), "run", "-A", "--unstable-webgpu"],
    ["bun", binaryIn("@oven", "bun")],
  ] as const) {
    for (const device of ["cpu", "gpu"]) {
      const { status, stdout, stderr } = spawnSync(path, [...args, "program.mjs"], {
        cwd: folder,
        encoding: "utf8",
        timeout: patienceMilliseconds,
        env: { ...process.env, TRY_DEVICE: device, VK_ICD_FILENAMES: vulkanDrivers.lavapipe },
      });
      const isRight = status === 0 && stdout.includes("right");
      if (isRight) passed++;
      else failed++;
      console.log(`${name}, ${device}: ${isRight ? stdout.trim() : `failed (${status})\n${stdout}${stderr}`}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** The program that a package of npm's holds for this system; its own installer, which would link it, does not run. */
function binaryIn(scope: string, name: string): string {
  const inside = join(folder, "node_modules", scope);
  const found = readdirSync(inside, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.isFile() && entry.name === name,
  );
  if (!found) throw new Error(`npm installed no ${name} for this system`);
  return join(found.parentPath, found.name);
}
