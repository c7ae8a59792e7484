/** Who may import what in `packages/*`: own files, mlx-ts by its public names, and what the package's manifest declares. */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { rootPath } from "./root.ts";

/** The names that a package declares to depend on. */
export type Declared = ReadonlySet<string>;

const declaredByFolder = new Map<string, Declared>();

/** What the manifest of `folder` (such as `packages/monitor`) declares. */
function declaredBy(folder: string): Declared {
  const known = declaredByFolder.get(folder);
  if (known) return known;
  const { dependencies = {}, peerDependencies = {} } = JSON.parse(
    readFileSync(join(rootPath, folder, "package.json"), "utf8"),
  );
  const declared = new Set(Object.keys({ ...dependencies, ...peerDependencies }));
  declaredByFolder.set(folder, declared);
  return declared;
}

/** What is wrong with an import of a package's file, if anything is. */
export function judgePackageImport(
  path: string,
  specifier: string,
  isDynamic: boolean,
  declared: (folder: string) => Declared = declaredBy,
): string | undefined {
  const folder = path.split("/").slice(0, 2).join("/");
  if (specifier.startsWith("node:")) {
    if (isDynamic || path.startsWith(`${folder}/src/server/`)) return undefined;
    return `"${specifier}" at load time: only files in the package's folder server are for Node alone`;
  }
  if (specifier.startsWith(".")) {
    if (!specifier.endsWith(".ts")) return `"${specifier}": imports of own files end in .ts`;
    const target = posix.join(posix.dirname(path), specifier);
    if (!target.startsWith(`${folder}/src/`)) return `"${specifier}" lies outside of the package`;
    return target === `${folder}/src/index.ts`
      ? `"${specifier}" is a public entry: import from the file itself`
      : undefined;
  }
  const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier;
  return declared(folder).has(name) ? undefined : `"${specifier}": the package does not declare ${name}`;
}
