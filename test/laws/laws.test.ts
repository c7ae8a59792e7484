/** The laws of every row: a row without a case fails. */
import { describe, expect, it } from "vitest";
import type { Primitive } from "../../src/graph/primitive.ts";
import { negativeRow } from "../../src/primitives/arithmetic.ts";
import { constant } from "../../src/primitives/leaf.ts";
import { sinRow } from "../../src/primitives/trigonometry.ts";
import { allRows } from "./bench.ts";
import {
  derivativesKeep,
  pullBackIsTransposed,
  secondDerivativesHold,
  Trial,
  tangentsAreSlopes,
  valueHolds,
  vmapAndGradientCommute,
  vmapIsALoop,
} from "./laws.ts";
import { pointwiseCases } from "./pointwise-cases.ts";
import { structuralCases } from "./structural-cases.ts";

/** Rows whose laws are tested through the functions that make them, since their parameters hold graphs. */
const elsewhere: Readonly<Record<string, string>> = {
  checkpointRow: "test/transforms/checkpoint.test.ts",
  customRow: "test/transforms/custom-function.test.ts",
  callRow: "test/transforms of compile",
};

const cases = { ...pointwiseCases, ...structuralCases };
const rows = allRows();

describe("the table of laws", () => {
  it("has a case for every row", () => {
    expect([...rows.keys()].filter((name) => !(name in cases) && !(name in elsewhere))).toEqual([]);
  });
  it("has no case for a row that is gone", () => {
    expect(Object.keys(cases).filter((name) => !rows.has(name))).toEqual([]);
  });
});

describe("the laws", () => {
  it("catch a wrong derivative", async () => {
    const wrong: Primitive = { ...sinRow, derivative: { kind: "pointwise", partials: ([x]) => [x ?? null] } };
    await expect(tangentsAreSlopes(new Trial(wrong, { inputs: [{ shape: [3] }] }))).rejects.toThrow();
  });
  it("catch a wrong transpose", async () => {
    const wrong: Primitive = { ...negativeRow, derivative: { kind: "linear", transpose: (cotangent) => [cotangent] } };
    await expect(pullBackIsTransposed(new Trial(wrong, { inputs: [{ shape: [3] }] }))).rejects.toThrow();
  });
  it("catch a wrong batching rule", async () => {
    const wrong: Primitive = { ...negativeRow, batch: ([x]) => [x ?? constant(0, "float64"), 0] };
    await expect(vmapIsALoop(new Trial(wrong, { inputs: [{ shape: [3] }] }))).rejects.toThrow();
  });
});

for (const [name, row] of rows) {
  const examples = cases[name];
  if (!examples || row.lowering.kind === "data") continue;
  describe(name, () => {
    for (const [number, example] of examples.entries()) {
      const { inputs, noDerivative, noBatch } = example;
      const where = `case ${number}: ${inputs.map(({ shape }) => `[${shape}]`).join(" ")}`;
      it(`has the promised value; ${where}`, () => valueHolds(new Trial(row, example)));
      if (!noDerivative) {
        it(`has slopes for tangents; ${where}`, () => tangentsAreSlopes(new Trial(row, example)));
        it(`pulls back by the transpose; ${where}`, () => pullBackIsTransposed(new Trial(row, example)));
        it(`has second derivatives; ${where}`, () => secondDerivativesHold(new Trial(row, example)));
        for (const dtype of ["float16", "bfloat16", "float32"] as const)
          it(`has derivatives in ${dtype}; ${where}`, () => derivativesKeep(dtype, row, example));
      }
      if (!noBatch) it(`maps over a batch as a loop; ${where}`, () => vmapIsALoop(new Trial(row, example)));
      if (!noBatch && !noDerivative)
        it(`maps and differentiates in either order; ${where}`, () => vmapAndGradientCommute(new Trial(row, example)));
    }
  });
}
