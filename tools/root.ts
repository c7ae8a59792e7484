/** Where the repository lies, and which source files it has. */
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder, without a slash at the end. */
export const rootPath: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Lists the TypeScript files under a folder of the repository, as sorted paths relative to the root. */
export function listTypeScriptFiles(folder: string): readonly string[] {
  return readdirSync(join(rootPath, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(rootPath, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}
