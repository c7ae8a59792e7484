/** Actors: calls in order, arrays by handle, streams on request, errors as they were, and a clean end. */
import { type Actor, type ActorOptions, actor, WorkerError } from "@mlx-ts/actor";
import * as mx from "mlx-ts";
import { sharing } from "mlx-ts/worker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anyWorker } from "../../../test/setup/workers.ts";
import type { Lab } from "./lab.worker.ts";

const start = (options: ActorOptions<typeof Lab> = {}): Promise<Actor<typeof Lab>> =>
  actor<typeof Lab>(
    () =>
      anyWorker(
        () => new Worker(new URL("./lab.worker.ts", import.meta.url), { type: "module" }),
        new URL("./lab.worker.ts", import.meta.url),
      ),
    { threads: 1, ...options },
  );

/** As `SensorError` of the worker's file, which this thread does not load. */
class SensorError extends Error {
  readonly sensor: string = "";
}

let lab: Actor<typeof Lab>;
beforeAll(async () => {
  lab = await start({ errors: [SensorError] });
});
afterAll(() => lab.dispose());

describe("a call", () => {
  it("computes in the worker, on arrays that are not copied", async () => {
    const x = mx.full([1000], 2);
    await lab.add(x);
    const total = await lab.add(x.add(1));
    expect((await total.view())[999]).toBe(5);
    expect(await lab.addressOf(x)).toBe((await x.view()).byteOffset);
  });

  it("runs when all calls before it are done", async () => {
    const calls = [lab.note("a", 30), lab.note("b", 0), lab.note("c", 10)];
    expect((await Promise.all(calls)).at(-1)?.slice(-3)).toEqual(["a", "b", "c"]);
  });

  it("is refused for a method that is not there", async () => {
    const unknown: { absent(): Promise<void> } = Object(lab);
    await expect(unknown.absent()).rejects.toThrow(/Lab has no method absent/);
  });
});

describe("an actor is refused", () => {
  it.each<readonly [title: string, options: object, message: RegExp]>([
    ["with a misspelt option", { paramters: [] }, /actor: "paramters" is no option of { parameters, threads, errors }/],
    ["with a parameter in place of a list", { parameters: 3 }, /actor: parameters is a list, .*got 3/],
    ["with half a thread", { threads: 0.5 }, /joinMemory: threads is a whole number from 1, got 0\.5/],
  ])("%s", async (_, options, message) => {
    const starting = start(options);
    await expect(starting).rejects.toThrow(message);
    await expect(starting).rejects.toBeInstanceOf(mx.ArgumentError);
  });
});

describe("a stream", () => {
  it("gives what the generator yields, and goes on only when asked", async () => {
    const seen: number[] = [];
    for await (const { step, squares } of lab.count(3)) {
      seen.push(step, Number((await squares.view())[599]));
      expect((await lab.note("between", 0)).slice(-2)).toEqual([`step ${step}`, "between"]);
    }
    expect(seen).toEqual([1, 1, 2, 4, 3, 9]);
  });

  it("ends the generator when it is left early", async () => {
    for await (const { step } of lab.count(1000)) if (step === 2) break;
    expect((await lab.note("after", 0)).slice(-3)).toEqual(["step 2", "left", "after"]);
  });
});

describe("an error", () => {
  it("of mlx-ts arrives with its class, fields and stack", async () => {
    const error = await lab.fail("shape").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(mx.ShapeError);
    expect(error).toMatchObject({ name: "ShapeError", operation: "matmul" });
    expect(Object(error).stack).toMatch(/fail/);
  });

  it("of the program arrives with its class where that is given", async () => {
    const error = await lab.fail("sensor").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SensorError);
    expect(error).toMatchObject({ sensor: "pulse", message: "sensor pulse is silent" });
  });

  it("of JavaScript arrives as what it is, with its cause", async () => {
    await expect(lab.fail("type")).rejects.toBeInstanceOf(TypeError);
    await expect(lab.fail("cause")).rejects.toMatchObject({ message: "outer", cause: new RangeError("inner") });
  });

  it("of several errors, of the web, and what is no error, arrive as what they are", async () => {
    const [both, web, text, fields] = await Promise.all(
      (["aggregate", "web", "text", "fields"] as const).map((kind) =>
        lab.fail(kind).catch((thrown: unknown) => thrown),
      ),
    );
    expect(both).toBeInstanceOf(AggregateError);
    expect(Object(both).errors).toMatchObject([new RangeError("one"), { sensor: "two" }]);
    expect(Object(both).errors[1]).toBeInstanceOf(SensorError);
    expect(web).toBeInstanceOf(DOMException);
    expect(web).toMatchObject({ name: "QuotaExceededError", message: "no room" });
    // Chromium gives such errors no stack.
    if (new DOMException().stack !== undefined) expect(Object(web).stack).toMatch(/fail/);
    expect(text).toBe("only a text");
    expect(fields).toMatchObject({ message: "row", rows: [1, [2]], at: { row: 3 } });
    expect(fields).not.toHaveProperty("again");
  });
});

describe("what does not travel, whatever its type says,", () => {
  it("is refused by name, and leaves no handle behind", async () => {
    const before = sharing().handles;
    await expect(lab.odd()).rejects.toMatchObject({ name: "ArgumentError", message: expect.stringMatching(/clone/) });
    const sent = Object({ x: mx.full([1000], 1), odd: new Map([["a", () => 1]]) });
    await expect(lab.add(sent)).rejects.toMatchObject({ name: "ArgumentError" });
    expect(sharing().handles).toBe(before);
  });
});

describe("a signal", () => {
  it("is aborted on the other side too, with its reason", async () => {
    const controller = new AbortController();
    const waiting = lab.untilAborted({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 20);
    expect(await waiting).toBe("Error: enough");
    expect(await lab.untilAborted({ signal: AbortSignal.abort() })).toMatch(/^AbortError/);
  });
});

describe("an actor", () => {
  it("is made with parameters, arrays too, and leaves nothing behind when disposed", async () => {
    const before = sharing();
    const initial = mx.full([1000], 4);
    const other = await start({ parameters: [initial] });
    const result = await other.add(mx.array(1));
    expect((await result.view())[0]).toBe(5);
    await other.dispose();
    expect(await other.ended).toBeNull();
    await expect(other.add(mx.array(1))).rejects.toThrow(/disposed/);
    expect((await result.view())[0]).toBe(5); // outlives the worker
    for (const x of [initial, result]) x.dispose();
    expect(sharing()).toEqual(before);
  });

  it("that fails rejects everything pending with a WorkerError, and what it sent lives on", async () => {
    const other = await start();
    const result = await other.add(mx.full([1000], 6));
    const pending = [other.crash(), other.forever(), other.note("never", 0)];
    const [, error, last] = await Promise.all(pending.map((call) => call.catch((thrown: unknown) => thrown)));
    expect(error).toBeInstanceOf(WorkerError);
    expect(error).toMatchObject({ message: expect.stringMatching(/short circuit/) });
    expect(last).toBe(error);
    await expect(other.note("later", 0)).rejects.toBe(error);
    expect(await other.ended).toBe(error);
    await other.dispose();
    expect((await result.view())[0]).toBe(6);
  });

  it("cannot be started from a file that is not there", async () => {
    const missing = new URL("./absent.worker.ts", import.meta.url);
    const absent = actor(() => anyWorker(() => new Worker(missing, { type: "module" }), missing));
    await expect(absent).rejects.toThrow();
  });
});
