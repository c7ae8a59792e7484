/** The library as Node loads it: few files, because each costs a quarter of a millisecond. */
import { build } from "esbuild";
import manifest from "../package.json" with { type: "json" };

/**
 * Bundles the entries that package.json has a "node" condition for, with the chunks that they share or load when needed,
 * from the folder's `dist` into its `dist/node`.
 */
export async function bundleForNode(folder: string): Promise<boolean> {
  const entries = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === "object" ? [entry.default.replace("./", "")] : [],
  );
  const { errors } = await build({
    absWorkingDir: folder,
    entryPoints: entries,
    outbase: "dist",
    outdir: "dist/node",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["webgpu"],
    sourcemap: true,
    sourcesContent: false,
    logLevel: "warning",
  });
  return errors.length === 0;
}
