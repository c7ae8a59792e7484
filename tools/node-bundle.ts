/** The library as Node loads it: few files, because each costs a quarter of a millisecond. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "rolldown";
import manifest from "../package.json" with { type: "json" };

/**
 * Bundles the entries that package.json has a "node" condition for, with the chunks that they share or load when needed,
 * from the folder's `dist` into its `dist/node`. All that the first entry loads at once is one file.
 */
export async function bundleForNode(folder: string): Promise<void> {
  const entries = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === "object" ? [entry.default.replace(/^\.\/dist\/|\.js$/g, "")] : [],
  );
  const dist = join(folder, "dist");
  const outputFolder = join(dist, "node");
  const start = loadedAtOnce(join(dist, "index.js"));
  rmSync(outputFolder, { recursive: true, force: true });
  await build({
    input: Object.fromEntries(entries.map((name) => [name, join(dist, `${name}.js`)])),
    platform: "node",
    external: ["webgpu", /^node:/],
    logLevel: "silent",
    plugins: [
      {
        name: "source maps of the compiled files, if they have any",
        load(path) {
          const code = readFileSync(path, "utf8");
          return existsSync(`${path}.map`) ? { code, map: readFileSync(`${path}.map`, "utf8") } : { code };
        },
      },
    ],
    output: {
      dir: outputFolder,
      format: "esm",
      // Those that tell bundlers which imports to leave alone.
      comments: { annotation: true, legal: false, jsdoc: false },
      sourcemap: true,
      entryFileNames: "[name].js",
      chunkFileNames: "chunk-[hash].js",
      codeSplitting: { groups: [{ name: "library", test: (path) => start.has(path) }] },
    },
  });
}

/** A file with all that it imports statically. */
function loadedAtOnce(entry: string): ReadonlySet<string> {
  const found = new Set([entry]);
  for (const path of found)
    for (const [, imported = ""] of readFileSync(path, "utf8").matchAll(
      /^(?:import|export)\b[^"'()]*["'](\.[^"']+)["']/gm,
    ))
      found.add(resolve(path, "..", imported));
  return found;
}
