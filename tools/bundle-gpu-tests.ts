/**
 * `npm run bundle:gpu-tests -- out.mjs`: the tests of the GPU backend as one file that needs nothing but Node (22 or later) and
 * the package `webgpu` beside it, for machines with a GPU and without this repository: `node out.mjs [part of a file's name]`.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import { rootPath } from "./root.ts";

const [target = "dist/gpu-tests.mjs"] = process.argv.slice(2);
const folder = "test/webgpu";
const names = (await readdir(resolve(rootPath, folder))).filter((name) => name.endsWith(".test.ts")).sort();
const entry = `
import { runFiles } from "vitest";
import * as mx from "mlx-ts";
const wanted = process.argv.slice(2);
const all = { ${names.map((name) => `"${folder}/${name}": () => import("./${folder}/${name}")`).join(", ")} };
const chosen = Object.entries(all).filter(([name]) => wanted.length === 0 || wanted.some((word) => name.includes(word)));
console.log(JSON.stringify(await mx.gpu.info()));
process.exitCode = (await runFiles(Object.fromEntries(chosen))) ? 0 : 1;
`;

/** Vite's `import.meta.glob` of whole folders, as imports. */
const globs: Plugin = {
  name: "globs",
  setup({ onLoad }) {
    onLoad({ filter: /test[\\/]laws[\\/]bench\.ts$/ }, async ({ path }) => {
      const imports: string[] = [];
      const source = await readFile(path, "utf8");
      const found = [...source.matchAll(/import\.meta\.glob<[^(]*>\("([^"]+)", \{ eager: true \}\)/g)];
      let contents = source;
      for (const [call, pattern = ""] of found) {
        const inside = dirname(pattern);
        const files = pattern.endsWith("/*.ts")
          ? (await readdir(resolve(dirname(path), inside))).filter((name) => name.endsWith(".ts"))
          : [pattern.slice(inside.length + 1)];
        const entries = files.map((name) => {
          imports.push(`import * as glob${imports.length} from "${inside}/${name}";`);
          return `"${inside}/${name}": glob${imports.length - 1}`;
        });
        contents = contents.replace(call, `{ ${entries.join(", ")} }`);
      }
      return { contents: `${imports.join("\n")}\n${contents}`, loader: "ts" };
    });
  },
};

/** Vite's `?raw`: the file as text. */
const texts: Plugin = {
  name: "texts",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.slice(0, -"?raw".length)),
      namespace: "text",
    }));
    onLoad({ filter: /./, namespace: "text" }, async ({ path }) => ({
      contents: await readFile(path, "utf8"),
      loader: "text",
    }));
  },
};

await build({
  stdin: { contents: entry, resolveDir: rootPath, sourcefile: "gpu-tests.ts", loader: "ts" },
  outfile: resolve(target),
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22",
  external: ["webgpu"],
  alias: {
    vitest: `${rootPath}/test/setup/bundled-vitest.ts`,
    "mlx-ts": `${rootPath}/src/index.ts`,
    ...Object.fromEntries(
      ["nn", "optimizers", "train", "webgpu", "worker"].map((part) => [
        `mlx-ts/${part}`,
        `${rootPath}/src/${part}/index.ts`,
      ]),
    ),
  },
  plugins: [globs, texts],
  define: { "import.meta.env": "process.env" },
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  logLevel: "warning",
});
