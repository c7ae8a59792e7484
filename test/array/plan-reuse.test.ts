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
