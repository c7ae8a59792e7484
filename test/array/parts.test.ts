/** Evaluations that need a part of the library which is not loaded yet. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { Part } from "../../src/base/part.ts";
import type { Executable, Plan } from "../../src/ir/backend.ts";
import { testUnder } from "../setup/wasm-runtimes.ts";

/** A backend that needs `part` for every plan. */
class PartialBackend extends ReferenceBackend {
  readonly part: Part<string>;

  constructor(part: Part<string>) {
    super();
    this.part = part;
  }

  override prepare(plan: Plan): Executable {
    this.part.get();
    return super.prepare(plan);
  }
}

describe("an evaluation that needs a part", () => {
  let attempts = 0;
  let failures = 0;

  testUnder(() => {
    attempts = 0;
    failures = 0;
    const part: Part<string> = new Part("all of it", async () => {
      if (++attempts <= failures) throw new TypeError("404");
      part.provide("loaded");
    });
    return new Runtime(new PartialBackend(part), { fusion: true });
  });

  it("loads it and goes on", async () => {
    expect(await mx.array([1, 2]).mul(2).tolist()).toEqual([2, 4]);
    expect(await mx.array([1, 2]).mul(3).sum().item()).toBe(9);
    expect(attempts).toBe(1);
  });

  it("rejects with a LoadError if it cannot be loaded, and the next one tries again", async () => {
    failures = 1;
    const y = mx.array([1, 2]).mul(2);
    await expect(mx.evaluate(y)).rejects.toThrow(mx.LoadError);
    expect(y.isEvaluated).toBe(false);
    expect(await y.tolist()).toEqual([2, 4]);
  });

  it("serves several evaluations that wait for the same array", async () => {
    const y = mx.array([1, 2]).mul(2);
    const z = y.add(1);
    const values = await Promise.all([y.tolist(), z.tolist(), y.sum().item()]);
    expect(values).toEqual([[2, 4], [3, 5], 6]);
  });

  it("leaves out what was disposed meanwhile", async () => {
    const x = mx.array([1, 2]);
    const [y, z] = [x.mul(2), x.mul(3)];
    const done = mx.evaluate(y, z);
    x.dispose();
    y.dispose();
    await done;
    expect(await z.tolist()).toEqual([3, 6]);
  });

  it("serves a compiled function", async () => {
    const double = mx.compile((x: mx.MLXArray) => [x.mul(2), x.mul(3)] as const);
    const [two, three] = double(mx.array([1, 2]));
    expect(await Promise.all([two.tolist(), three.tolist()])).toEqual([
      [2, 4],
      [3, 6],
    ]);
  });
});
