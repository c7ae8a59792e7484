/** A process that measures one library: prepares rows and runs them when its parent says so. */
import { pathToFileURL } from "node:url";
import type { Library, Prepared } from "./library.ts";
import type { Reply, Request } from "./protocol.ts";

const path = process.argv[2] ?? "";
let prepared: Prepared | null = null;

process.on("message", async (request: Request) => {
  const reply = await answer(request).catch(
    (error: unknown): Reply => ({ kind: "unable", because: error instanceof Error ? error.message : String(error) }),
  );
  process.send?.(reply);
});
process.on("disconnect", () => process.exit(0));

async function answer(request: Request): Promise<Reply> {
  if (request.kind === "prepare") {
    const { library }: { library: Library<string> } = await import(pathToFileURL(path).href);
    const setUp = library.rows[request.row] ?? "not one of its rows";
    if (typeof setUp === "string") return { kind: "unable", because: setUp };
    prepared = await setUp();
    const began = performance.now();
    await prepared.run();
    const firstMilliseconds = performance.now() - began;
    return { kind: "ready", versions: library.versions, firstMilliseconds };
  }
  if (!prepared) return { kind: "unable", because: "nothing is prepared" };
  const operations = prepared.operations ?? 1;
  const milliseconds: number[] = [];
  const processorBefore = process.cpuUsage();
  const began = performance.now();
  do {
    const start = performance.now();
    await prepared.run();
    milliseconds.push((performance.now() - start) / operations);
  } while (performance.now() - began < request.milliseconds);
  const { user, system } = process.cpuUsage(processorBefore);
  const processorMilliseconds = (user + system) / 1000 / milliseconds.length / operations;
  return { kind: "measured", milliseconds, processorMilliseconds };
}
