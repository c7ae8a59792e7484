/** Files that a page of the documentation shows: blocks fenced as ```ts file=name.ts, which its examples start as workers. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { rootPath } from "./root.ts";

/** Writes the files of a page into a folder; workers are bundled as well, because Node's threads load no TypeScript. */
export function writeDocumentationFiles(path: string, folder: string): void {
  const text = readFileSync(join(rootPath, path), "utf8");
  for (const [, name = "", code = ""] of text.matchAll(/^```ts file=(\S+)\n(.*?)^```$/gms)) {
    const file = join(rootPath, folder, name);
    writeFileSync(file, `/** Generated from ${path}. */\n${code}`);
  }
  for (const name of readdirSync(join(rootPath, folder)).filter((found) => found.endsWith(".worker.ts"))) {
    const file = join(rootPath, folder, name);
    buildSync({
      entryPoints: [file],
      outfile: bundleOf(file),
      bundle: true,
      format: "esm",
      platform: "browser",
      external: ["node:*"],
      logLevel: "silent",
      tsconfig: join(rootPath, "tsconfig.json"),
    });
  }
}

/** An example that starts workers, with their bundles in place of their files. */
export function startingBundles(code: string): string {
  return code.replace(/new URL\("(\.\/[^"]+\.worker\.ts)"/g, (_, file) => `new URL("${bundleOf(file)}"`);
}

function bundleOf(file: string): string {
  return file.replace(/\.ts$/, ".mjs");
}
