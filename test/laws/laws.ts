/** The laws themselves: what must hold of a row on a case, whatever the row. */
import { expect } from "vitest";
import type { Dtype } from "../../src/base/dtype.ts";
import { isFloating } from "../../src/base/dtype.ts";
import { DtypeError } from "../../src/base/errors.ts";
import { sizeOf } from "../../src/base/shape.ts";
import type { MLXArray } from "../../src/graph/mlx-array.ts";
import type { Primitive } from "../../src/graph/primitive.ts";
import { apply } from "../../src/graph/primitive.ts";
import { broadcastTo, moveAxis } from "../../src/primitives/views.ts";
import { jvp, vjp } from "../../src/transforms/grad.ts";
import { vmap } from "../../src/transforms/vectorize.ts";
import type { InputSpec } from "./bench.ts";
import { Bench, draw, Random } from "./bench.ts";

/** A row applied to inputs of given shapes. */
export interface LawCase {
  readonly inputs: readonly InputSpec[];
  readonly params?: unknown;
  /** The elements of the result, by other means. */
  readonly value?: (...inputs: readonly (readonly number[])[]) => readonly number[];
  /** Where derivatives do not exist or are not those of the row (piecewise jumps, a gradient that is stopped): why. */
  readonly noDerivative?: string;
  /** Rows without inputs, or whose inputs cannot be mapped: why. */
  readonly noBatch?: string;
  /** Inputs that always come with a batch axis, or never do, in vmap; all combinations unless given. */
  readonly batches?: readonly (readonly boolean[])[];
}

/** A row on a case, with its elements drawn. */
export class Trial {
  readonly bench: Bench = new Bench();
  readonly row: Primitive;
  readonly example: LawCase;
  readonly random: Random;
  readonly values: readonly number[][];

  constructor(row: Primitive, example: LawCase, seed = 1) {
    this.row = row;
    this.example = example;
    this.random = new Random(seed);
    this.values = example.inputs.map((spec) => draw(spec, this.random));
  }

  arrays(values: readonly (readonly number[])[] = this.values): MLXArray[] {
    return this.example.inputs.map(({ shape, dtype }, k) => this.bench.array(values[k] ?? [], shape, dtype));
  }

  /** The places of the inputs that derivatives are taken by. */
  get differentiable(): number[] {
    return this.example.inputs.flatMap(({ dtype = "float64" }, k) => (isFloating(dtype) ? [k] : []));
  }

  /** The row as a function of its differentiable inputs. */
  readonly fn: (...given: MLXArray[]) => MLXArray = (...given) => {
    const inputs = this.arrays();
    this.differentiable.forEach((place, k) => {
      const input = given[k];
      if (input) inputs[place] = input;
    });
    return apply(this.row, inputs, this.example.params ?? null);
  };

  primals(offset = 0, direction: readonly (readonly number[])[] = []): MLXArray[] {
    return this.differentiable.map((place, k) => {
      const { shape = [] } = this.example.inputs[place] ?? {};
      const values = (this.values[place] ?? []).map((value, i) => value + offset * (direction[k]?.[i] ?? 0));
      return this.bench.array(values, shape);
    });
  }

  /** Random elements for each differentiable input. */
  direction(): number[][] {
    return this.differentiable.map((place) => draw({ shape: this.example.inputs[place]?.shape ?? [] }, this.random));
  }

  tangents(direction: readonly (readonly number[])[]): MLXArray[] {
    return this.differentiable.map((place, k) =>
      this.bench.array(direction[k] ?? [], this.example.inputs[place]?.shape ?? []),
    );
  }
}

/** The result has the shape and dtype that the row promised, and the elements that other means give. */
export async function valueHolds(trial: Trial): Promise<void> {
  const { bench, row, example, values } = trial;
  const result = apply(row, trial.arrays(), example.params ?? null);
  const elements = await bench.readOne(result);
  expect(elements.length).toBe(sizeOf(result.shape));
  if (example.value) expectClose(elements, example.value(...values), 1e-12);
}

/** jvp agrees with finite differences. */
export async function tangentsAreSlopes(trial: Trial): Promise<void> {
  const { bench, fn } = trial;
  const direction = trial.direction();
  const [, tangents] = jvp(fn, trial.primals(), trial.tangents(direction));
  const step = 1e-5;
  const [tangent = [], up = [], down = []] = await bench.read([
    ...tangents,
    fn(...trial.primals(step, direction)),
    fn(...trial.primals(-step, direction)),
  ]);
  expectClose(
    tangent,
    up.map((value, k) => (value - (down[k] ?? 0)) / (2 * step)),
    1e-7,
  );
}

/** ⟨v, jvp(u)⟩ = ⟨vjp(v), u⟩, and cotangents have the shape and dtype of what they belong to. */
export async function pullBackIsTransposed(trial: Trial): Promise<void> {
  const { bench, fn } = trial;
  const direction = trial.direction();
  const [[output], [tangent]] = jvp(fn, trial.primals(), trial.tangents(direction));
  if (!output || !tangent) return;
  expect(tangent.shape).toEqual(output.shape);
  expect(tangent.dtype).toBe(output.dtype);
  const weights = draw({ shape: output.shape }, trial.random);
  const primals = trial.primals();
  const [, cotangents] = vjp(fn, primals, [bench.array(weights, output.shape)]);
  cotangents.forEach((cotangent, k) => {
    expect(cotangent.shape).toEqual(primals[k]?.shape);
    expect(cotangent.dtype).toBe(primals[k]?.dtype);
  });
  const [forward = [], ...pulled] = await bench.read([tangent, ...cotangents]);
  const there = inner(weights, forward);
  const back = pulled.reduce((total, values, k) => total + inner(values, direction[k] ?? []), 0);
  expectClose([there], [back], 1e-10);
}

/** Tangents, cotangents and their derivatives have the dtype of what they belong to, and can be computed in it. */
export async function derivativesKeep(dtype: Dtype, row: Primitive, example: LawCase): Promise<void> {
  const inputs = example.inputs.map((spec) => (isFloating(spec.dtype ?? dtype) ? { ...spec, dtype } : spec));
  const trial = new Trial(row, { ...example, inputs });
  const { bench, fn } = trial;
  const arrays = trial.arrays();
  const primals = trial.differentiable.flatMap((place) => arrays[place] ?? []);
  if (!admits(() => fn(...primals))) return;
  const [[output], [tangent]] = jvp(fn, primals, primals);
  if (!output || !tangent || !isFloating(output.dtype)) return;
  const gradient = (...given: MLXArray[]): MLXArray[] => vjp(fn, given, [output])[1];
  const derivatives = [gradient(...primals), jvp(gradient, primals, primals)[1], vjp(gradient, primals, primals)[1]];
  expect([tangent, ...derivatives.flat()].map((array) => array.dtype)).toEqual([
    output.dtype,
    ...derivatives.flatMap(() => primals.map((primal) => primal.dtype)),
  ]);
  await bench.read([tangent, ...derivatives.flat()]);
}

/** Whether a row takes inputs of the dtypes that it is given. */
function admits(call: () => MLXArray): boolean {
  try {
    call();
  } catch (error) {
    if (error instanceof DtypeError) return false;
    throw error;
  }
  return true;
}

/** The derivative of the gradient agrees with finite differences of the gradient, taken forwards and backwards. */
export async function secondDerivativesHold(trial: Trial): Promise<void> {
  const { bench, fn } = trial;
  const output = fn(...trial.primals());
  if (!isFloating(output.dtype)) return;
  const weights = draw({ shape: output.shape }, trial.random);
  const gradient = (...given: MLXArray[]): MLXArray[] => vjp(fn, given, [bench.array(weights, output.shape)])[1];
  const direction = trial.direction();
  const step = 1e-5;
  const [, forward] = jvp(gradient, trial.primals(), trial.tangents(direction));
  const [, backward] = vjp(gradient, trial.primals(), trial.tangents(direction));
  const up = await bench.read(gradient(...trial.primals(step, direction)));
  const down = await bench.read(gradient(...trial.primals(-step, direction)));
  const slopes = up.map((values, k) => values.map((value, i) => (value - (down[k]?.[i] ?? 0)) / (2 * step)));
  const [forwards, backwards] = [await bench.read(forward), await bench.read(backward)];
  slopes.forEach((expected, k) => {
    expectClose(forwards[k] ?? [], expected, 1e-6);
    // The matrix of second derivatives is symmetric.
    expectClose(backwards[k] ?? [], expected, 1e-6);
  });
}

/** vmap gives what a loop over the examples gives, wherever the batch axis lies. */
export async function vmapIsALoop(trial: Trial): Promise<void> {
  const { bench, row, example, random } = trial;
  const length = 3;
  const patterns = example.batches ?? combinations(example.inputs.length);
  for (const [number, pattern] of patterns.entries()) {
    const examples = Array.from({ length }, () => example.inputs.map((spec) => draw(spec, random)));
    const inAxes = example.inputs.map(({ shape }, k) => (pattern[k] ? (number + k) % (shape.length + 1) : null));
    const first = examples[0] ?? [];
    const inputs = example.inputs.map(({ shape, dtype }, k) => {
      const axis = inAxes[k] ?? null;
      if (axis === null) return bench.array(first[k] ?? [], shape, dtype);
      const stacked = bench.array(
        examples.flatMap((values) => values[k] ?? []),
        [length, ...shape],
        dtype,
      );
      return moveAxis(stacked, 0, axis);
    });
    const mapped = vmap((...given: MLXArray[]) => apply(row, given, example.params ?? null), { inAxes })(...inputs);
    const loop = examples.map((values) =>
      apply(
        row,
        example.inputs.map(({ shape, dtype }, k) =>
          bench.array((pattern[k] ? values[k] : first[k]) ?? [], shape, dtype),
        ),
        example.params ?? null,
      ),
    );
    expect(mapped.shape).toEqual([length, ...(loop[0]?.shape ?? [])]);
    expect(mapped.dtype).toBe(loop[0]?.dtype);
    const [together = [], ...apart] = await bench.read([mapped, ...loop]);
    expectClose(together, apart.flat(), 1e-12);
  }
}

/** vmap of the gradient is the loop of gradients, and the gradient of vmap is the vmap of the gradient. */
export async function vmapAndGradientCommute(trial: Trial): Promise<void> {
  const { bench, fn, random } = trial;
  const output = fn(...trial.primals());
  if (!isFloating(output.dtype)) return;
  const length = 2;
  const weights = bench.array(draw({ shape: output.shape }, random), output.shape);
  const stacked = trial.differentiable.map((place) => {
    const spec = trial.example.inputs[place] ?? { shape: [] };
    const values = Array.from({ length }, () => draw(spec, random)).flat();
    return bench.array(values, [length, ...spec.shape]);
  });
  const gradient = (...given: MLXArray[]): MLXArray[] => vjp(fn, given, [weights])[1];
  const inside = vmap(gradient)(...stacked);
  const all = broadcastTo(weights, [length, ...output.shape]);
  const [, outside] = vjp((...given: MLXArray[]) => vmap(fn)(...given), stacked, [all]);
  const [a, b] = [await bench.read(inside), await bench.read(outside)];
  a.forEach((values, k) => {
    expectClose(values, b[k] ?? [], 1e-10);
  });
}

function combinations(count: number): boolean[][] {
  const all = Array.from({ length: 2 ** count - 1 }, (_, bits) =>
    Array.from({ length: count }, (_, k) => ((bits + 1) & (1 << k)) !== 0),
  );
  return all.length > 7 ? [...all.slice(0, 6), ...all.slice(-1)] : all;
}

function inner(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, value, k) => total + value * (b[k] ?? 0), 0);
}

/** Elements agree to `tolerance`, relative to the greater of 1 and the expected one. NaN equals NaN. */
function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const wrong = actual.flatMap((value, k) => {
    const wanted = expected[k] ?? 0;
    const isSame = Object.is(value, wanted) || value === wanted;
    return isSame || Math.abs(value - wanted) <= tolerance * Math.max(1, Math.abs(wanted))
      ? []
      : [{ place: k, is: value, expected: wanted }];
  });
  expect(wrong).toEqual([]);
}
