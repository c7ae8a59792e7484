/** How the page is built: from the sources of mlx-ts, and served so that WebAssembly threads are real. */
import { fileURLToPath } from "node:url";
import type { InlineConfig } from "vite";
import { coloursPlugin } from "../../../packages/studio/colours-plugin.ts";
import { offline } from "./offline-plugin.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const source = (entry: string): string => fileURLToPath(new URL(`../../../src/${entry}`, import.meta.url));

const packageSource = fileURLToPath(new URL("../../../packages/$1/src", import.meta.url));

/** Under these headers a page may share memory with its workers. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  // Nothing is sent anywhere: the page may ask its own server only. The engine's threads start from blobs.
  "Content-Security-Policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'",
};

/** Modules of Node are named in mlx-ts, and loaded only in Node; Rolldown knows no pure objects, only pure calls. */
const rolldownOptions = { external: [/^node:/], checks: { invalidAnnotation: false, pluginTimings: false } };

const config: InlineConfig = {
  configFile: false,
  root,
  logLevel: "warn",
  resolve: {
    alias: [
      { find: /^mlx-ts$/, replacement: source("index.ts") },
      { find: /^mlx-ts\/(nn|optimizers|train|worker)$/, replacement: source("$1/index.ts") },
      { find: /^@mlx-ts\/([a-z]+)$/, replacement: `${packageSource}/index.ts` },
      { find: /^@mlx-ts\/([a-z]+)\/([a-z-]+)$/, replacement: `${packageSource}/$2.ts` },
    ],
  },
  plugins: [coloursPlugin(), offline()],
  worker: { format: "es", rolldownOptions },
  appType: "mpa",
  build: {
    rolldownOptions,
    outDir: "dist",
    target: "es2022",
    emptyOutDir: true,
    chunkSizeWarningLimit: 2000,
    assetsInlineLimit: 0,
  },
  preview: { host: "127.0.0.1", headers },
};

export default config;
