/** The studio's server: the runs of a directory and commands to them, for this machine's own page alone. */
import { mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { commandsFile, eventsFile, lockFile, readRunEvents, train } from "mlx-ts/train";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Studio, startStudio } from "../src/server/serve.ts";

let directory = "";
let studio: Studio;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mlx-ts-studio-"));
  studio = await startStudio({ directory, port: 0 });
});
afterEach(async () => {
  await studio.close();
  await rm(directory, { recursive: true });
});

const ask = (path: string, options: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, studio.address), options);

async function runTraining(name: string, steps: number): Promise<void> {
  const loss = (model: nn.Linear, x: mx.MLXArray): mx.MLXArray => model(x).square().mean();
  const optimizer = new optim.SGD({ learningRate: 0.1 });
  const batches = [mx.ones([2, 1])];
  const log = join(directory, name);
  for await (const _ of train({ model: new nn.Linear(1, 1), optimizer, loss, batches, steps, log }));
}

/** The status of an answer to a request that a browser on this page would not make. */
function statusOf(
  path: string,
  headers: Readonly<Record<string, string>>,
  method = "GET",
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, studio.address), { headers, method }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject);
    asked.end(method === "POST" ? '{"kind":"stop"}' : undefined);
  });
}

describe("studio", () => {
  it("lists runs, nested ones too, and reads their events from where the page is", async () => {
    await runTraining("first", 2);
    await runTraining("wide/second", 3);
    const { runs } = await (await ask("/api/runs")).json();
    expect(runs.map(({ name }: { readonly name: string }) => name)).toEqual(["wide/second", "first"]);
    const path = `/api/runs/${encodeURIComponent("wide/second")}/events`;
    const whole = await ask(path);
    const text = await whole.text();
    expect(readRunEvents(text).map(({ kind }) => kind)).toEqual([
      "start",
      "step",
      "epoch",
      "step",
      "epoch",
      "step",
      "end",
    ]);
    expect(Number(whole.headers.get("x-end"))).toBe(text.length);
    const half = text.indexOf("\n") + 1;
    expect(await (await ask(`${path}?from=${half}`)).text()).toBe(text.slice(half));
    expect(await (await ask(`${path}?from=${text.length}`)).text()).toBe("");
  });

  it("knows a training that goes on from one that was killed", async () => {
    await runTraining("first", 1);
    const old = new Date(Date.now() - 60_000);
    const isLive = async (): Promise<boolean> => (await (await ask("/api/runs")).json()).runs[0].isLive;
    await utimes(join(directory, "first", eventsFile), old, old);
    expect(await isLive()).toBe(false);
    const lock = join(directory, "first", lockFile);
    await writeFile(lock, "1 of a training that writes little");
    expect(await isLive()).toBe(true);
    await utimes(lock, old, old);
    expect(await isLive()).toBe(false);
  });

  it("says what to do where its port is taken", async () => {
    const port = Number(new URL(studio.address).port);
    await expect(startStudio({ directory, port })).rejects.toThrow(`port ${port} is taken`);
  });

  it("reads whole lines only", async () => {
    await runTraining("first", 1);
    const file = join(directory, "first", eventsFile);
    const text = await readFile(file, "utf8");
    await writeFile(file, `${text}{"kind":"sta`);
    const response = await ask("/api/runs/first/events");
    expect(await response.text()).toBe(text);
    expect(response.headers.get("x-end")).toBe(String(text.length));
  });

  it("passes commands on, and refuses what is none", async () => {
    await runTraining("first", 1);
    const send = (body: string, type = "application/json"): Promise<Response> =>
      ask("/api/runs/first/commands", { method: "POST", headers: { "content-type": type }, body });
    expect((await send('{"kind":"pause"}')).status).toBe(204);
    expect((await send('{"kind":"learningRate","learningRate":0.5}')).status).toBe(204);
    expect((await send('{"kind":"learningRate","learningRate":-1}')).status).toBe(400);
    expect((await send('{"kind":"pause"}', "text/plain")).status).toBe(415);
    expect((await send(`{"kind":"${"a".repeat(5000)}"}`)).status).toBe(413);
    expect(await readFile(join(directory, "first", commandsFile), "utf8")).toBe(
      '{"kind":"pause"}\n{"kind":"learningRate","learningRate":0.5}\n',
    );
  });

  it("answers no other name of this machine, no other page, and shows nothing else of the disk", async () => {
    await runTraining("first", 1);
    expect(studio.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await statusOf("/api/runs", { host: "evil.example" })).toBe(403);
    const json = { "content-type": "application/json" };
    expect(await statusOf("/api/runs/first/commands", { ...json, origin: "http://evil.example" }, "POST")).toBe(403);
    expect((await ask("/api/runs/..%2F..%2Fetc/events")).status).toBe(404);
    expect((await ask("/..%2f..%2fpackage.js")).status).toBe(404);
    expect((await ask("/api/runs/none/events")).status).toBe(404);
    expect((await ask("/api/runs", { method: "DELETE" })).status).toBe(405);
  });

  it("is not started with a misspelt option, or without a directory", async () => {
    const misspelt: object = { directory, prot: 0 };
    await expect(startStudio(Object(misspelt))).rejects.toThrow('"prot" is no option of { directory, port, page }');
    await expect(startStudio({ directory: "", port: 0 })).rejects.toThrow(/directory is the path/);
  });
});
