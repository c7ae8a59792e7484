/** Gives pages that Vite builds around the element its colours, as a style sheet that they link. */
import { createHash } from "node:crypto";
import type { Plugin } from "vite";
import { colours } from "./src/element/colours.ts";

const source = `:root {${colours}}\n`;
// As of all that is built, the name tells other content apart.
const fileName = `assets/colours-${createHash("sha256").update(source).digest("hex").slice(0, 8)}.css`;

/** The plugin. */
export function coloursPlugin(): Plugin {
  return {
    name: "mlx-ts-colours",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "asset", fileName, source });
    },
    transformIndexHtml: () => [{ tag: "link", attrs: { rel: "stylesheet", href: `./${fileName}` } }],
  };
}
