/** `npm run build`: compiles src to dist/, with declarations and source maps, and then each package likewise. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { listPackages, rootPath } from "./root.ts";

const compiler = join(rootPath, "node_modules/typescript/bin/tsc");
const isBuilt = ["", ...listPackages()].every(compile);
process.exitCode = isBuilt ? 0 : 1;

function compile(folder: string): boolean {
  rmSync(join(rootPath, folder, "dist"), { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [compiler, "-p", join(folder, "tsconfig.build.json")], {
    cwd: rootPath,
    stdio: "inherit",
  });
  return status === 0;
}
