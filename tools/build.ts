/**
 * `npm run build`: compiles src to dist/, with declarations and source maps, and then each package likewise, with its
 * page if it has one. For Node, which takes a quarter of a millisecond for each file that it loads, the entries are
 * bundled as well, into dist/node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundleForNode } from "./node-bundle.ts";
import { listPackages, rootPath } from "./root.ts";

const compiler = join(rootPath, "node_modules/typescript/bin/tsc");
let isBuilt = compile("");
if (isBuilt) await bundleForNode(rootPath);
isBuilt &&= listPackages().every(compile);
process.exitCode = isBuilt ? 0 : 1;

function compile(folder: string): boolean {
  rmSync(join(rootPath, folder, "dist"), { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [compiler, "-p", join(folder, "tsconfig.build.json")], {
    cwd: rootPath,
    stdio: "inherit",
  });
  return status === 0 && buildPage(folder);
}

/** Bundles the page of a package that has one. */
function buildPage(folder: string): boolean {
  const configuration = join(rootPath, folder, "vite.config.ts");
  if (folder === "" || !existsSync(configuration)) return true;
  const bundler = join(rootPath, "node_modules/vite/bin/vite.js");
  const { status } = spawnSync(process.execPath, [bundler, "build", "--config", configuration], {
    cwd: join(rootPath, folder),
    stdio: ["ignore", "ignore", "inherit"],
  });
  return status === 0;
}
