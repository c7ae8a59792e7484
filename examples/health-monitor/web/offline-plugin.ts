/** Adds the service worker to a build, told which files there are. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A plugin that lets the built page work without a network. */
export function offline(): Plugin {
  return {
    name: "offline",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const version = createHash("sha256");
        const built = Object.keys(bundle).sort();
        const fixed = readdirSync(here("public")).sort();
        // Names in the bundle hold hashes of their content, but for the page itself.
        for (const name of built) version.update(name);
        for (const name of fixed) version.update(readFileSync(here(`public/${name}`)));
        version.update(readFileSync(here("index.html")));
        const files = ["/", ...[...built, ...fixed].filter((name) => name !== "index.html").map((name) => `/${name}`)];
        const source = readFileSync(here("service-worker.js"), "utf8")
          .replace("= self.pageFiles", `= ${JSON.stringify(files)}`)
          .replace("= self.pageVersion", `= ${JSON.stringify(`health-monitor ${version.digest("hex").slice(0, 12)}`)}`);
        this.emitFile({ type: "asset", fileName: "service-worker.js", source });
      },
    },
  };
}
