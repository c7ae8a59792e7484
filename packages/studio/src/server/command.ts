#!/usr/bin/env node
/** `mlx-ts-studio [directory]`: opens the studio on a directory of runs. */
import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { startStudio } from "./serve.ts";

const usage = `mlx-ts-studio [directory] [--port 4747] [--no-open]

Shows the runs in a directory (runs, unless another is named), which train(…, { log: "runs/name" }) writes.
It listens on 127.0.0.1 alone.`;

try {
  await main();
} catch (error) {
  console.error(`mlx-ts studio: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: "string" },
      "no-open": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const directory = resolve(positionals[0] ?? "runs");
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) throw new Error(`there is no directory ${directory}; train(…, { log: "runs/name" }) makes one`);
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65536))
    throw new Error(`--port is a number from 0 to 65535, got ${values.port}`);
  const studio = await startStudio(port === undefined ? { directory } : { directory, port });
  console.log(`mlx-ts studio shows ${directory} at ${studio.address}`);
  if (process.stdout.isTTY && !values["no-open"]) openPage(studio.address);
}

/** Opens an address in the reader's browser, where there is one. */
function openPage(address: string): void {
  const [program, ...programArguments] =
    process.platform === "darwin" ? ["open"] : process.platform === "win32" ? ["cmd", "/c", "start", ""] : ["xdg-open"];
  if (program === undefined) return;
  const opener = spawn(program, [...programArguments, address], { stdio: "ignore", detached: true });
  // The address was printed: without an opener, the reader follows it.
  opener.on("error", () => {});
  opener.unref();
}
