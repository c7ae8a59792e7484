/** Profiles: the kernels that explain lists, measured, with what is held; the arrays stay as they were. */
import * as mx from "mlx-ts";
import { expect, it } from "vitest";

it("lists the kernels of explain, in order, with times and who reads whom", async () => {
  const x = mx.random.normal([64, 32]);
  const w = mx.random.normal([32, 16]);
  await mx.evaluate(x, w);
  const y = mx.softmax(mx.sort(x.matmul(w), -1), -1).sum();
  const profiled = await mx.profile(y);
  const { kernels } = mx.explain(y);
  expect(profiled.map(({ label, kind, bytes, flops }) => ({ label, kind, bytes, flops }))).toEqual(kernels);
  for (const [k, { milliseconds, reads }] of profiled.entries()) {
    expect(milliseconds).toBeGreaterThanOrEqual(0);
    if (k > 0) expect(reads).toContain(k - 1);
    expect(Math.max(-1, ...reads)).toBeLessThan(k);
  }
  expect(y.isEvaluated).toBe(false);
  expect(await y.item()).toBeCloseTo(64, 3);
});

it("counts what is held: inputs all the time, intermediates until they were read", async () => {
  const x = mx.random.normal([1000, 10]);
  await mx.evaluate(x);
  const input = 4 * 10_000;
  const sorted = mx.sort(mx.sort(x, -1).negative(), -1); // two intermediates as large as the input, one after the other
  const held = (await mx.profile(sorted)).map(({ heldBytes }) => heldBytes);
  expect(held).toEqual([2 * input, 3 * input, 3 * input]);
});

it("holds no memory afterwards", async () => {
  const x = mx.random.normal([1000, 100]);
  await mx.evaluate(x);
  const y = mx.sort(x.mul(2), 0).add(1);
  await mx.profile(y); // loads what it needs
  const before = mx.memory.active;
  await mx.profile(y);
  expect(mx.memory.active).toBeLessThanOrEqual(before);
});

it("has nothing to measure of what is computed", async () => {
  const x = mx.array([1, 2]);
  await mx.evaluate(x);
  expect(await mx.profile(x)).toEqual([]);
});
