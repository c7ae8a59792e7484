/** Versions of installed packages. */
import { readFileSync } from "node:fs";

/** The version of a package in this folder's node_modules. */
export function versionOf(name: string): string {
  const text = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8");
  const manifest: unknown = JSON.parse(text);
  return typeof manifest === "object" && manifest && "version" in manifest ? String(manifest.version) : "unknown";
}
