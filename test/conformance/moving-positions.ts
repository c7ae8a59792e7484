/** Programs that read and update at positions which change from step to step: what they compute, and what they compile. */
/// <reference types="vite/client" />
import * as mx from "mlx-ts";
import { expect, it } from "vitest";
import { replaceRuntime } from "../../src/array/device.ts";
import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { Random } from "../laws/bench.ts";
import { numbers } from "../setup/numbers.ts";

type Program = (x: mx.MLXArray, position: number) => mx.MLXArray;

const window = (from: number, length: number, step = 1): mx.Slice => mx.slice(from, from + length * step, step);
const all = mx.slice(null);
const weights = numbers([8, 5], 3);

const numbered = mx.compile((x: mx.MLXArray, i: number) => x.get(all, window(i, 16)).mul(x.get(i, 0)));

/** What each step of a loop over positions computes, from an array of [130, 130] that was computed itself. */
const programs: Readonly<Record<string, Program>> = {
  "reads columns": (x, i) => x.get(all, window(i, 16)),
  "reads every other row": (x, i) => x.get(window(i, 12, 2)).add(1),
  "reads backwards": (x, i) => x.get(mx.slice(i + 20, i, -3), i).mul(2),
  "takes a column": (x, i) => mx.take(x, i, 1).add(1),
  "reduces a block": (x, i) => x.get(window(i, 10), window(i + 7, 20)).sum(1),
  "multiplies a window": (x, i) => x.get(all, window(i, 8)).matmul(weights),
  "relates neighbours": (x, i) =>
    x
      .get(all, window(i + 1, 16))
      .sub(x.get(all, window(i, 16)))
      .square()
      .mean(0),
  "sets a row": (x, i) => x.at(i).set(1.5),
  "adds to an element": (x, i) => x.at(i, 129 - i).add(1),
  "scales a strided block": (x, i) => x.at(window(i, 6, 3), mx.slice(i + 10, i, -2)).multiply(2),
  "moves a row": (x, i) => x.at(129 - i).set(x.get(i)),
  "follows the gradient": (x, i) => mx.grad((y: mx.MLXArray) => y.get(all, window(i, 16)).square().sum())(x),
  "reads when recorded": (x, i) => mx.compile((y: mx.MLXArray) => y.get(all, window(i, 16)).mul(3))(x),
  "reads when recorded with a number": (x, i) => numbered(x, i).add(1).sum(0),
};

/** Declares that a loop over 100 positions compiles no more than its first steps; `compiled` counts what was so far. */
export function itCompilesOnce(compiled: () => number, mostKernels: number): void {
  it.each(Object.entries(programs))("%s at 100 positions", async (_, program) => {
    const x = numbers([130, 130], 1).mul(2);
    await mx.evaluate(x);
    const step = async (position: number): Promise<void> => {
      const result = program(x, position);
      await mx.evaluate(result);
      result.dispose();
    };
    const before = compiled();
    for (const position of [0, 1, 2]) await step(position);
    const first = compiled() - before;
    for (let position = 3; position < 100; position++) await step(position);
    expect(first).toBeLessThanOrEqual(mostKernels);
    expect(compiled() - before).toBe(first);
  });
}

/** Declares a test for each of `count` seeds: at each of a few positions `device` gives what the interpreter gives. */
export function itReadsAndUpdatesAnywhere(count: number, device: mx.Device = "cpu"): void {
  it.each(Array.from({ length: count }, (_, seed) => seed))("seed %i", async (seed) => {
    const random = new Random(seed * 7919 + 11);
    const { shape, build, places } = randomProgram(random);
    const resultsAt = async (place: readonly number[], on: mx.Device): Promise<readonly (readonly number[])[]> => {
      const results = mx.withDevice(on, () => build(numbers(shape, seed).mul(2), place));
      await mx.evaluate(results);
      return Promise.all(results.map(async (result) => Array.from(await result.data(), Number)));
    };
    for (const place of places) {
      const found = await resultsAt(place, device);
      const here = replaceRuntime(new Runtime(new ReferenceBackend(), { fusion: true }));
      const wanted = await resultsAt(place, "cpu");
      replaceRuntime(here);
      const detail = `[${shape}] at [${place}]`;
      expect(found.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
      wanted.forEach((list, k) => {
        list.forEach((value, n) => {
          expect(found[k]?.[n], detail).toBeCloseTo(value, 4);
        });
      });
    }
  });
}

interface RandomProgram {
  readonly shape: readonly number[];
  readonly places: readonly (readonly number[])[];
  build(x: mx.MLXArray, place: readonly number[]): mx.MLXArray[];
}

/** A region of an array, its place left open, with what is done there, and the first place twice. */
function randomProgram(random: Random): RandomProgram {
  const rank = random.whole(1, 3);
  const axes = Array.from({ length: rank }, () => {
    const length = random.whole(1, 4) * random.whole(2, 9);
    const step = pick(random, [1, 1, 1, 2, 3, -1, -2]);
    const count = random.whole(1, Math.max(1, Math.floor(length / Math.abs(step) / 2)));
    const isWhole = random.next() < 0.25;
    return isWhole ? { length, step: 1, count: length } : { length, step, count };
  });
  const shape = axes.map(({ length }) => length);
  const place = (): number[] =>
    axes.map(({ length, step, count }) => {
      const reach = (count - 1) * Math.abs(step);
      return random.whole(0, length - 1 - reach) + (step < 0 ? reach : 0);
    });
  const indexAt = (at: readonly number[]): (mx.Slice | number)[] =>
    axes.map(({ step, count }, axis) => {
      const start = at[axis] ?? 0;
      const stop = start + step * count;
      return mx.slice(start, stop < 0 ? null : stop, step);
    });
  const counts = axes.map(({ count }) => count);
  const value = numbers(counts, 5);
  const kind = random.whole(0, 5);
  const build = (x: mx.MLXArray, at: readonly number[]): mx.MLXArray[] => {
    const index = indexAt(at);
    const part = x.get(...index);
    switch (kind) {
      case 0:
        return [part, part.mul(3).add(part.square())];
      case 1:
        return [part.sum(-1), mx.tanh(part).mean()];
      case 2:
        return [
          x
            .at(...index)
            .set(value)
            .mul(2),
          x.sum(),
        ];
      case 3:
        return [
          x.at(...index).add(value),
          mx.grad((y: mx.MLXArray) =>
            y
              .get(...index)
              .mul(value)
              .sum(),
          )(x),
        ];
      case 4: {
        const matrix = part.reshape([-1, counts.at(-1) ?? 1]);
        return [matrix.matmul(matrix.T), mx.softmax(part, -1)];
      }
      default: {
        const update = (y: mx.MLXArray): mx.MLXArray =>
          y
            .at(...index)
            .multiply(part)
            .square()
            .sum();
        return [mx.grad(update)(x), mx.flip(part).reshape([-1])];
      }
    }
  };
  const first = place();
  return { shape, build, places: [first, place(), place(), first, place()] };
}

function pick<T>(random: Random, list: readonly T[]): T {
  const found = list[random.whole(0, list.length - 1)];
  if (found === undefined) throw new RangeError("nothing to pick from");
  return found;
}
