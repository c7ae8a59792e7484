/** Evaluations that overlap: what one lets go of, another may still have to read. */
import * as mx from "mlx-ts";
import { expect, it } from "vitest";

it("an input that another evaluation lets go of keeps its memory until this one has read it", async () => {
  const size = 1_000_000; // Long enough that a page's main thread leaves it to workers.
  for (let round = 0; round < 4; round++) {
    const x = mx.array(new Float32Array(size).fill(1));
    const y = x.add(1);
    const z = mx.tanh(y.mul(0.25)).mul(1000);
    const [first, second] = [mx.evaluate(y), mx.evaluate(z)];
    x.dispose();
    await first;
    const others = [-7, 7].map((value) => mx.array(new Float32Array(size).fill(value)));
    await second;
    const found = new Set(Array.from(await z.data(), Number));
    expect(found.size).toBe(1);
    for (const value of found) expect(value).toBeCloseTo(Math.tanh(0.5) * 1000, 2);
    for (const array of [y, z, ...others]) array.dispose();
  }
});
