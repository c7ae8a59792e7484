/** Chromium on a page of the benchmarks: bundled, served, and gone afterwards. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright";
import { chromium } from "playwright";
import { chromiumArguments, chromiumPath } from "../../../tools/chromium.ts";

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Where a page is opened. */
export interface OpenPage {
  readonly page: Page;
  readonly browser: Browser;
}

/** Opens the page whose scripts these are, the first of them its own; without isolation it has no threads. */
export async function withPage(
  scripts: readonly [string, ...string[]],
  isIsolated: boolean,
  use: (open: OpenPage) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mlx-ts-page-"));
  await build({
    entryPoints: scripts.map((script) => here(`./${script}.ts`)),
    bundle: true,
    splitting: true,
    format: "esm",
    external: ["node:*"],
    define: { "process.versions.node": '""', "process.versions.v8": '""' },
    outdir: folder,
    logLevel: "silent",
    tsconfig: here("../../../tsconfig.json"),
  });
  const server = createServer(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const file = pathname === "/" ? `<!doctype html><script type="module" src="/${scripts[0]}.js"></script>` : null;
    response.writeHead(200, {
      "Content-Type": extname(pathname) === ".js" ? "text/javascript" : "text/html",
      ...(isIsolated && {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      }),
    });
    response.end(file ?? (await readFile(join(folder, pathname)).catch(() => "")));
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  const browser = await chromium.launch({ executablePath: chromiumPath, args: [...chromiumArguments] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${typeof address === "object" ? address?.port : ""}/`);
    await page.waitForFunction("typeof measure === 'function'");
    await use({ page, browser });
  } finally {
    await browser.close();
    server.close();
    await rm(folder, { recursive: true });
  }
}
