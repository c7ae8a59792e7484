/** Evaluation: depth, sharing, concurrency, and what becomes of arrays once computed. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

describe("evaluate", () => {
  it("computes a chain of 100,000 operations", async () => {
    let x = mx.zeros([3]);
    for (let i = 0; i < 100_000; i++) x = x.add(1);
    expect(await x.tolist()).toEqual([100_000, 100_000, 100_000]);
  });

  it("computes a chain of 100,000 operations that no fusion can shorten", async () => {
    let x = mx.array([1, 2, 3, 4]);
    for (let i = 0; i < 100_000; i++) x = i % 2 === 0 ? mx.negative(x) : mx.flip(x);
    expect(await x.tolist()).toEqual([1, 2, 3, 4]);
  });

  it("drops a chain that is never computed", () => {
    let x = mx.array([1]);
    for (let i = 0; i < 100_000; i++) x = x.mul(2);
    x.dispose();
    expect(x.isDisposed).toBe(true);
  });

  it("computes what many results share once, even when doubling makes a path of every length", async () => {
    let x = mx.array([1, 1]);
    for (let i = 0; i < 60; i++) x = x.add(x).mul(0.5);
    expect(await x.tolist()).toEqual([1, 1]);
  });

  it("takes trees, arrays already computed, and nothing", async () => {
    const x = mx.array([1, 2]);
    const tree = { a: x.add(1), b: [x.mul(2), { c: x }] };
    await mx.evaluate(tree, x, null, 3, "text");
    expect(tree.a.isEvaluated).toBe(true);
    await mx.evaluate(tree);
    await mx.evaluate();
    expect(await tree.a.tolist()).toEqual([2, 3]);
  });

  it("is done when it returns where nothing is to be waited for", async () => {
    const x = mx.array([1, 2, 3]);
    await mx.evaluate(x.add(1)); // from now on what this needs is loaded
    const y = x.add(2);
    const done = mx.evaluate(y);
    expect(y.isEvaluated).toBe(true);
    await done;
  });

  it("gives the view of a small result a buffer of its own", async () => {
    const x = mx.arange(100);
    const results = [x.add(1), x.add(2), x.add(3)];
    for (const result of results) await mx.evaluate(result);
    const sum = results.reduce((total, result) => total.add(result));
    const views = await Promise.all(results.map((result) => result.view()));
    views.forEach((view, k) => {
      expect(view.buffer.byteLength).toBe(400);
      expect(view[99]).toBe(100 + k);
    });
    expect((await results[1]?.view())?.buffer).toBe(views[1]?.buffer);
    expect((await sum.data())[99]).toBe(303);
  });

  it("lets go of the graph behind a computed array", async () => {
    const x = mx.array([1, 2]).add(1).mul(3);
    await mx.evaluate(x);
    expect(x.inputs).toHaveLength(0);
  });

  it("may be called many times at once, on results that depend on each other", async () => {
    const x = mx.ones([200, 300]);
    const y = x.mul(3);
    const z = y.matmul(y.transpose());
    const [a, b, c, d] = await Promise.all([
      y.sum().item(),
      z.sum().item(),
      z.max().item(),
      y.add(z.max()).min().item(),
    ]);
    expect([a, b, c, d]).toEqual([180_000, 108_000_000, 2700, 2703]);
  });

  it("gives equal arrays one piece of memory only if nobody can tell", async () => {
    const x = mx.array([1, 2, 3]);
    const [a, b] = [x.add(1), x.add(1)];
    await mx.evaluate(a, b);
    a.dispose();
    expect(await b.tolist()).toEqual([2, 3, 4]);
    const same = x.reshape([3, 1]);
    await mx.evaluate(same);
    x.dispose();
    expect(await same.tolist()).toEqual([[1], [2], [3]]);
  });

  it("tells constants apart by value, not by position", async () => {
    const x = mx.array([1, 2]);
    expect(await x.mul(3).add(3).tolist()).toEqual([6, 9]);
    expect(await x.mul(3).add(4).tolist()).toEqual([7, 10]);
    expect(await x.mul(4).add(3).tolist()).toEqual([7, 11]);
    expect(await x.mul(0).add(-0).tolist()).toEqual([0, 0]);
    expect(await x.mul(1).add(0).tolist()).toEqual([1, 2]);
    expect(await x.mul(Number.NaN).tolist()).toEqual([Number.NaN, Number.NaN]);
  });

  it("tells plans apart by axis, order and dtype", async () => {
    const x = mx.array([
      [1, 2],
      [3, 4],
    ]);
    expect(await x.sum(0).tolist()).toEqual([4, 6]);
    expect(await x.sum(1).tolist()).toEqual([3, 7]);
    expect(await x.sub(x.transpose()).tolist()).toEqual([
      [0, -1],
      [1, 0],
    ]);
    const [a, b] = [mx.array([5, 6]), mx.array([1, 2])];
    expect(await a.sub(b).tolist()).toEqual([4, 4]);
    expect(await b.sub(a).tolist()).toEqual([-4, -4]);
    expect(await a.sub(a).tolist()).toEqual([0, 0]);
    expect(
      await mx
        .array([250], "uint8")
        .add(mx.array([10], "uint8"))
        .tolist(),
    ).toEqual([4]);
    expect(
      await mx
        .array([250], "uint16")
        .add(mx.array([10], "uint16"))
        .tolist(),
    ).toEqual([260]);
  });

  it("goes on after a graph that cannot be computed", async () => {
    const x = mx.array([1, 2]);
    const y = x.add(1);
    y.dispose();
    await expect(mx.evaluate(y)).rejects.toThrow(mx.DisposedError);
    expect(await x.add(1).tolist()).toEqual([2, 3]);
  });
});
