#!/usr/bin/env node
/** `npx mlx-ts …`: hands over to the packages that bring commands, or says which to install. */

const usage =
  "mlx-ts studio [directory] [--port 4747] [--no-open]   shows the runs in a directory (runs, unless another is named)";

const [, , command, ...rest] = process.argv;
if (command === "studio") await openStudio();
else if (command === undefined || command === "--help" || command === "-h") console.log(usage);
else fail(`there is no command ${command}\n${usage}`);

/** The studio has dependencies, which mlx-ts has none of: it is a package of its own, looked for beside the reader's project. */
async function openStudio(): Promise<void> {
  const { createRequire } = await import("node:module");
  const { join } = await import("node:path");
  const { pathToFileURL } = await import("node:url");
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    let path: string;
    try {
      path = createRequire(from).resolve("@mlx-ts/studio/command");
    } catch {
      continue;
    }
    process.argv = [...process.argv.slice(0, 2), ...rest];
    await import(pathToFileURL(path).href);
    return;
  }
  fail(
    "the studio is a package of its own: npm install --save-dev @mlx-ts/studio, and run this again; or, without installing, npx @mlx-ts/studio",
  );
}

function fail(message: string): void {
  console.error(`mlx-ts: ${message}`);
  process.exitCode = 1;
}
