/** Where the repository lies, and which source files it has. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder, without a slash at the end. */
export const rootPath: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** The folders of the packages beside the root's, in the order in which they are built: each after those it depends on. */
export function listPackages(): readonly string[] {
  const folders = readdirSync(join(rootPath, "packages")).filter((name) =>
    existsSync(join(rootPath, "packages", name, "package.json")),
  );
  const before = new Map(folders.map((name) => [name, dependenciesAmong(folders, name)]));
  const ordered: string[] = [];
  while (ordered.length < folders.length) {
    const next = folders.find((name) => !ordered.includes(name) && before.get(name)?.every((d) => ordered.includes(d)));
    if (next === undefined) throw new Error(`the packages depend on each other in a circle: ${folders.join(", ")}`);
    ordered.push(next);
  }
  return ordered.map((name) => `packages/${name}`);
}

function dependenciesAmong(folders: readonly string[], name: string): readonly string[] {
  const text = readFileSync(join(rootPath, "packages", name, "package.json"), "utf8");
  const { dependencies = {}, peerDependencies = {} } = JSON.parse(text);
  return folders.filter((folder) => `@mlx-ts/${folder}` in { ...dependencies, ...peerDependencies });
}

/** Lists the TypeScript files under a folder of the repository, as sorted paths relative to the root. */
export function listTypeScriptFiles(folder: string): readonly string[] {
  return readdirSync(join(rootPath, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(rootPath, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}
