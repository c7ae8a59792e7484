/** A plan that is kept for the next graph of the same structure computes with that graph's numbers and arrays. */
import * as mx from "mlx-ts";
import { expect, it, vi } from "vitest";
import { currentRuntime } from "../../src/array/device.ts";

const x = mx.array([
  [1e-3, 2e-3],
  [3e-3, 4e-3],
]);

async function values(array: mx.MLXArray): Promise<readonly number[]> {
  return Array.from(await array.data(), Number);
}

it("gives a composite the number of each call, though its definition could calculate with it", async () => {
  const table = await values(mx.fast.rope(mx.ones([8, 2]), 2));
  const row = mx.ones([1, 2]);
  await mx.evaluate(row);
  const prepare = vi.spyOn(currentRuntime().backend, "prepare");
  try {
    for (const offset of [2, 3, 4, 5]) {
      const turned = await values(mx.fast.rope(row, 2, { offset }));
      expect(turned).toEqual(table.slice(2 * offset, 2 * offset + 2).map((value) => expect.closeTo(value, 6)));
    }
    expect(prepare).toHaveBeenCalledTimes(1);
  } finally {
    prepare.mockRestore();
  }
});

it("leaves the numbers of a definition alone where the graph has an equal one", async () => {
  const expected = await values(mx.fast.rmsNorm(x, null, 1e-5));
  for (const factor of [1e-5, 0.5]) {
    const scaled = await values(mx.fast.rmsNorm(x, null, 1e-5).mul(factor));
    expect(scaled).toEqual(expected.map((value) => expect.closeTo(value * factor, 6)));
  }
});

it("leaves what a compiled function captured alone where the graph has it too", async () => {
  const [weight, other] = [mx.array([10, 20]), mx.array([1, 2])];
  const [number, another] = [mx.array(2.5), mx.array(7.5)];
  const pending = mx.array([10, 20]).mul(2.5);
  const captures: readonly (readonly [mx.MLXArray, mx.MLXArray])[] = [
    [weight, other],
    [number, another],
    [pending, mx.array([1, 2]).mul(7.5)],
  ];
  for (const [captured, different] of captures) {
    const [inside, alone] = [await values(mx.multiply(x, captured)), await values(mx.add(mx.zeros([2, 2]), different))];
    for (const added of [captured, different, captured]) {
      // Made anew, so that only its own recording is met with its captures first in the graph.
      const scale = mx.compile((a: mx.MLXArray) => a.mul(captured));
      await mx.evaluate(scale(x).add(added));
      const sum = await values(scale(x).add(different));
      expect(sum).toEqual(inside.map((value, k) => expect.closeTo(value + (alone[k] ?? 0), 5)));
    }
  }
});

it("leaves the place of what a compiled function captured alone where the graph reads there too", async () => {
  const rows = mx.arange(24).reshape([12, 2]).mul(1);
  await mx.evaluate(rows);
  const part = (start: number): mx.MLXArray => rows.get(`${start}:${start + 4}:2`);
  const own = part(1);
  const times = mx.compile((a: mx.MLXArray) => a.mul(own));
  for (const [start, added] of [0, 1, 2, 5, 1].map((start) => [start, start === 1 ? own : part(start)] as const)) {
    const sum = await values(times(x).add(added));
    const [first, second] = [2 * start, 2 * start + 4];
    const expected = [2e-3 + first, 6e-3 + first + 1, 18e-3 + second, 28e-3 + second + 1];
    expect(sum).toEqual(expected.map((value) => expect.closeTo(value, 4)));
  }
});

it("reads and updates one place, or two, as each graph says", async () => {
  const rows = mx.arange(24).reshape([12, 2]).mul(1);
  await mx.evaluate(rows);
  const at = (start: number): mx.MLXArray => rows.get(`${start}:${start + 4}:2`);
  const sumOf = (a: mx.MLXArray, b: mx.MLXArray): Promise<readonly number[]> => values(a.mul(100).add(b));
  const expected = (a: number, b: number): number[] =>
    [0, 1, 4, 5].map((offset) => 100 * (2 * a + offset) + 2 * b + offset);
  for (const [a, b] of [
    [3, 3],
    [1, 4],
    [2, 2],
    [5, 0],
  ] as const) {
    const once = at(a);
    expect(await sumOf(once, once)).toEqual(expected(a, a));
    expect(await sumOf(at(a), at(b))).toEqual(expected(a, b));
  }
});
