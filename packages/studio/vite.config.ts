/** How the studio's page is built: from source, into what the server serves. */
import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";
import { coloursPlugin } from "./colours-plugin.ts";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const config: UserConfig = defineConfig({
  root: path("./src/app"),
  base: "./",
  logLevel: "warn",
  plugins: [coloursPlugin()],
  resolve: {
    alias: [
      // The page reads what trainings wrote and trains nothing: the engine stays out of it.
      { find: /^mlx-ts\/train$/, replacement: path("../../src/train/run-lines.ts") },
      { find: /^@mlx-ts\/monitor$/, replacement: path("../monitor/src/index.ts") },
    ],
  },
  build: { outDir: path("./dist/page"), emptyOutDir: true, target: "es2023", modulePreload: { polyfill: false } },
});

export default config;
