/** `npm run build`: compiles src to dist/, with declarations and source maps. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { rootPath } from "./root.ts";

rmSync(join(rootPath, "dist"), { recursive: true, force: true });
const compiler = join(rootPath, "node_modules/typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
  cwd: rootPath,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
