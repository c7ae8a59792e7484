/** Every row on a backend gives what the reference gives, in every dtype it admits, special values included. */
import { describe, expect, it } from "vitest";
import type { Dtype } from "../../src/base/dtype.ts";
import { isFloating, kindOf } from "../../src/base/dtype.ts";
import { DtypeError } from "../../src/base/errors.ts";
import { sizeOf } from "../../src/base/shape.ts";
import type { Primitive } from "../../src/graph/primitive.ts";
import { apply } from "../../src/graph/primitive.ts";
import type { Backend } from "../../src/ir/backend.ts";
import { unitOf } from "../setup/float-errors.ts";
import type { InputSpec } from "./bench.ts";
import { allRows, Bench, draw, Random } from "./bench.ts";
import { pointwiseCases } from "./pointwise-cases.ts";
import { structuralCases } from "./structural-cases.ts";

const reference = new Bench();
const rows = allRows();

/** Units in the last place by which a float32 result may differ, for rows computed by approximation; 1 otherwise. */
const ulps: Readonly<Record<string, number>> = {
  arccosRow: 3,
  arcsinRow: 3,
  arctan2Row: 3,
  arctanRow: 3,
  coshRow: 3,
  erfRow: 4,
  erfinvRow: 4,
  expm1Row: 3,
  logAddExpRow: 4,
  sigmoidRow: 4,
  sinhRow: 3,
  tanRow: 4,
  tanhRow: 3,
};

/** Dtypes in which a row is not compared, and why. */
const exempt: Readonly<Record<string, { readonly dtypes: readonly Dtype[]; readonly because: string }>> = {
  floorDivideRow: { dtypes: ["float16", "bfloat16"], because: "a quotient rounded to 16 bits may cross an integer" },
  logAddExpRow: { dtypes: ["bfloat16"], because: "its steps are rounded to 16 bits one by one, or once at the end" },
  leftShiftRow: { dtypes: ["bool"], because: "bool is shifted as uint8" },
  rightShiftRow: { dtypes: ["bool"], because: "bool is shifted as uint8" },
};

const subnormal = 1e-40;
const special = [0, -0, 1, -1, 0.5, -0.5, 2, 3, -3, 1.5, -2.5, subnormal, 1e-7, 1e4, -1e4, 88, -88, 89, 1e30, -1e30];
const specialFloats = [...special, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const specialIntegers = [
  0, 1, -1, 2, 3, -3, 7, -7, 31, 100, 127, -128, 255, 32767, -32768, 65535, 2147483647, -2147483648,
];

/** Elements that exercise a dtype: all pairs of special ones over two inputs, then random ones. */
function elementsFor(dtype: Dtype, input: number, random: Random, keepsSubnormals: boolean): number[] {
  const base =
    dtype === "bool"
      ? [0, 1]
      : isFloating(dtype)
        ? specialFloats.filter((value) => keepsSubnormals || value !== subnormal)
        : specialIntegers.filter((value) => kindOf(dtype) === "signed" || value >= 0);
  const pairs = base.flatMap((a) => base.map((b) => (input === 0 ? a : b)));
  const drawn = draw({ shape: [61], dtype, domain: isFloating(dtype) ? [-4, 4] : [-60, 60] }, random);
  return [...pairs, ...drawn];
}

/** A backend under comparison. */
export interface Candidate {
  readonly name: string;
  readonly backend: Backend;
  /** The dtypes it computes. */
  readonly dtypes: readonly Dtype[];
  /** Further units in the last place that a row's float32 results may differ by. */
  readonly ulps?: Readonly<Record<string, number>>;
  /** The rows that it does not compute. */
  readonly lacks?: ReadonlySet<string>;
  /** Whether numbers below the least normal one may be taken for zero. */
  readonly flushesSubnormals?: boolean;
}

async function compare(
  bench: Bench,
  candidate: Candidate,
  name: string,
  row: Primitive,
  inputs: readonly InputSpec[],
  params: unknown,
  values: readonly (readonly number[])[],
): Promise<void> {
  const [expected, actual] = await Promise.all(
    [reference, bench].map((bench) => {
      const arrays = inputs.map(({ shape, dtype }, k) => bench.array(values[k] ?? [], shape, dtype));
      const result = apply(row, arrays, params);
      return bench.readOne(result).then((elements) => ({ elements, dtype: result.dtype }));
    }),
  );
  if (!expected || !actual) return;
  const wrong = expected.elements.flatMap((wanted, k) => {
    const is = actual.elements[k] ?? Number.NaN;
    if (isSameElement(is, wanted, expected.dtype, candidate.ulps?.[name] ?? ulps[name] ?? 1)) return [];
    if (candidate.flushesSubnormals && isFloating(expected.dtype) && Math.abs(is - wanted) <= 2 ** -126) return [];
    // Terms that cancel leave the error of the greatest of them.
    if (addsUp(row) && Math.abs(is - wanted) <= 8 * unitOf(1, expected.dtype)) return [];
    const at = values.map((list, input) =>
      sizeOf(inputs[input]?.shape ?? []) === expected.elements.length ? list[k] : "…",
    );
    return [{ at, is, wanted }];
  });
  expect(wrong.slice(0, 8)).toEqual([]);
}

/** Whether an element of the result is a sum, whose terms may be added in another order. */
function addsUp({ lowering: { kind } }: Primitive): boolean {
  return kind === "reduce" || kind === "contraction" || kind === "composite";
}

function isSameElement(a: number, b: number, dtype: Dtype, limit: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (!isFloating(dtype)) return false;
  return Math.abs(a - b) <= limit * unitOf(b, dtype);
}

function admits(candidate: Candidate, row: Primitive, inputs: readonly InputSpec[], params: unknown): boolean {
  try {
    const avals = inputs.map(({ shape, dtype = "float64" }) => ({ shape, dtype }));
    return [...avals, row.aval(avals, params)].every(({ dtype }) => candidate.dtypes.includes(dtype));
  } catch (error) {
    if (error instanceof DtypeError) return false;
    throw error;
  }
}

const floatingOnly = /exp|log|sqrt|sigmoid|erf|sin|cos|tan|recip|divideRow/i;

/** Declares the tests of every row on `candidate`. */
export function describeRows(candidate: Candidate): void {
  const bench = new Bench(candidate.backend);
  for (const [name, row] of rows) {
    const { lowering } = row;
    const examples = [...(pointwiseCases[name] ?? []), ...(structuralCases[name] ?? [])];
    const [first] = examples;
    if (!first || lowering.kind === "data" || lowering.kind === "constant") continue;
    describe(`${name} on ${candidate.name}`, () => {
      if (candidate.lacks?.has(name)) {
        it.skip(`is refused by the ${candidate.name}, where it is placed there`, () => {});
        return;
      }
      if (lowering.kind === "map" && lowering.isPointwise && first.inputs.every(({ dtype }) => dtype !== "bool")) {
        for (const dtype of candidate.dtypes) {
          const random = new Random(7);
          const values = first.inputs.map((_, k) => elementsFor(dtype, k, random, !candidate.flushesSubnormals));
          const inputs = values.map((list) => ({ shape: [list.length], dtype }));
          const params = first.params ?? null;
          if (exempt[name]?.dtypes.includes(dtype)) {
            it.skip(`agrees in ${dtype}: ${exempt[name].because}`, () => {});
            continue;
          }
          if (!admits(candidate, row, inputs, params) || (floatingOnly.test(name) && !isFloating(dtype))) continue;
          it(`agrees in ${dtype}`, () => compare(bench, candidate, name, row, inputs, params, values));
        }
      }
      for (const [number, example] of examples.entries()) {
        const random = new Random(3);
        for (const dtype of ["float32", "float16"] as const) {
          const inputs = example.inputs.map((spec) => (spec.dtype ? spec : { ...spec, dtype }));
          if (dtype === "float16" && (lowering.kind === "composite" || lowering.kind === "contraction")) continue;
          const values = inputs.map((spec) => draw(spec, random));
          if (!admits(candidate, row, inputs, example.params ?? null)) {
            it.skip(`agrees on case ${number} in ${dtype}: ${candidate.name} lacks a dtype of it`, () => {});
            continue;
          }
          it(`agrees on case ${number} in ${dtype}`, () =>
            compare(bench, candidate, name, row, inputs, example.params ?? null, values));
        }
      }
    });
  }
}
