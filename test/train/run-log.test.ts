/** Logs in a browser: into its private files, never into a path. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { TrainOptions } from "mlx-ts/train";
import { eventsFile, readRunEvents, train } from "mlx-ts/train";
import { describe, expect, it } from "vitest";
import { readBoard } from "./board-reader.ts";

function options(): TrainOptions<nn.Linear, mx.MLXArray> {
  const loss = (model: nn.Linear, x: mx.MLXArray): mx.MLXArray => model(x).square().mean();
  return {
    model: new nn.Linear(1, 1),
    optimizer: new optim.SGD({ learningRate: 0.1 }),
    loss,
    batches: [mx.ones([2, 1])],
  };
}

// Node writes to paths, as run-log.node.test.ts shows.
describe.skipIf(typeof document === "undefined")("train with a log in a browser", () => {
  it("refuses a path, and says what to give", async () => {
    const events = train({ ...options(), log: "runs/first" });
    await expect(events.next()).rejects.toThrow("FileSystemDirectoryHandle");
    await expect(train({ ...options(), log: "runs/first" }).next()).rejects.toMatchObject({ name: "ArgumentError" });
  });

  const canWrite = typeof FileSystemFileHandle !== "undefined" && "createWritable" in FileSystemFileHandle.prototype;

  // WebKit came to it late.
  it.skipIf(!canWrite)("writes to a directory of the page's own", async () => {
    const root = await navigator.storage.getDirectory();
    await root.removeEntry("run", { recursive: true }).catch(() => {});
    const directory = await root.getDirectoryHandle("run", { create: true });
    for await (const _ of train({ ...options(), log: directory }));
    for await (const _ of train({ ...options(), log: directory }));
    const first = train({ ...options(), log: directory });
    await first.next();
    await expect(train({ ...options(), log: directory }).next()).rejects.toThrow("another training writes to run");
    await first.return();
    const lines = await (await (await directory.getFileHandle(eventsFile)).getFile()).text();
    const kinds = readRunEvents(lines).map(({ kind }) => kind);
    expect(kinds).toEqual(["start", "step", "epoch", "end", "start", "step", "epoch", "end", "start", "end"]);
    for await (const [name, handle] of directory.entries()) {
      expect(name).not.toContain("lock");
      if (!name.includes("tfevents") || !(handle instanceof FileSystemFileHandle)) continue;
      const records = readBoard(new Uint8Array(await (await handle.getFile()).arrayBuffer()));
      expect(records[0]?.version).toBe("brain.Event:2");
    }
    await root.removeEntry("run", { recursive: true });
  });
});
