/**
 * `npm run bench:page`: the longest task of a page's main thread in Chromium while a worker trains, and the page draws and predicts.
 * Tasks are those of Chromium's own trace; their processor time leaves out what other programs of the machine took.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright";
import { chromiumArguments, chromiumPath } from "../../../tools/chromium.ts";

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

const steps = Number(process.argv[2] ?? 600);
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "mlx-ts-page-"));
await build({
  entryPoints: [here("./page.ts"), here("./train.worker.ts")],
  bundle: true,
  splitting: true,
  format: "esm",
  external: ["node:*"],
  outdir: folder,
  logLevel: "silent",
  tsconfig: here("../../../tsconfig.json"),
});
const server = createServer(async ({ url = "/" }, response) => {
  const { pathname } = new URL(url, "http://localhost");
  const file = pathname === "/" ? '<!doctype html><script type="module" src="/page.js"></script>' : null;
  const type = extname(pathname) === ".js" ? "text/javascript" : "text/html";
  response.writeHead(200, {
    "Content-Type": type,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
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
  await browser.startTracing(page, { categories: ["toplevel", "blink.user_timing", "devtools.timeline"] });
  const result: unknown = await page.evaluate(`measure(${steps})`);
  const { traceEvents }: { traceEvents: readonly TraceEvent[] } = JSON.parse((await browser.stopTracing()).toString());
  const [begin, end] = ["training begins", "training ends"].map((name) =>
    traceEvents.find((event) => event.name === name),
  );
  if (!begin || !end) throw new Error("the trace lacks the marks of the training");
  const tasks = traceEvents.filter(
    ({ name, ph, pid, tid, ts }) =>
      /RunTask$/.test(name) && ph === "X" && pid === begin.pid && tid === begin.tid && ts >= begin.ts && ts <= end.ts,
  );
  const longest = (key: "dur" | "tdur"): string =>
    tasks
      .map((task) => (task[key] ?? 0) / 1000)
      .sort((a, b) => b - a)
      .slice(0, 5)
      .map((milliseconds) => milliseconds.toFixed(1))
      .join(", ");
  console.log(JSON.stringify(result));
  console.log(`${tasks.length} tasks of the main thread while it trained; the longest, in ms:`);
  console.log(`  elapsed:        ${longest("dur")}`);
  console.log(`  processor time: ${longest("tdur")}`);
} finally {
  await browser.close();
  server.close();
  await rm(folder, { recursive: true });
}
