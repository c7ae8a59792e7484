/** The other libraries: a package of its own in bench/peers, far too large for everyone who clones the project. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../peers/", import.meta.url));

/** Whether they are all there, in the versions that the lockfile says. */
export function arePeersInstalled(): boolean {
  const installed = packagesOf("node_modules/.package-lock.json");
  const wanted = Object.entries(packagesOf("package-lock.json")).filter(([path]) => path !== "");
  return wanted.every(([path, { version, optional }]) => optional || installed[path]?.version === version);
}

/**
 * Installs the other libraries once, and again when others are asked for, beside the project's own dependencies.
 * The programs that call them are then type-checked: `npm run check` does that only where they are installed.
 */
export function installPeers(): void {
  if (arePeersInstalled()) return;
  console.log("installing the other libraries into bench/peers (980 MB, once)");
  const options = { cwd: folder, stdio: "inherit" } as const;
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], options);
  execFileSync("npx", ["tsc", "-p", folder], options);
}

/** The packages in a lockfile of npm's, by their folders; none where there is no such file. */
function packagesOf(file: string): Readonly<Record<string, { readonly version: string; readonly optional?: boolean }>> {
  const path = `${folder}${file}`;
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}
