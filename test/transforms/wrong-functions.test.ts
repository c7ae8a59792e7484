/** Transforms refuse functions and rules that give what cannot be transformed, by name, and nothing of it becomes zeros. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { called, expectRefusal } from "../setup/wrong-options.ts";

const x = mx.array([1, 2]);
const square = (a: mx.MLXArray): mx.MLXArray => a.mul(a);
const total = (a: mx.MLXArray): mx.MLXArray => square(a).sum();
const late = async (a: mx.MLXArray): Promise<mx.MLXArray> => a;
const failing = (): Promise<mx.MLXArray> => Promise.reject(new Error("what it read has no value yet"));

/** A function with rules that may be wrong, whatever the types say of them. */
const withRules =
  (fn: (a: mx.MLXArray) => unknown, rules: object) =>
  (a: mx.MLXArray): mx.MLXArray => {
    const given = called(mx.customFunction, fn, rules);
    const result: unknown = typeof given === "function" ? Reflect.apply(given, undefined, [a]) : null;
    if (result instanceof mx.MLXArray) return result;
    throw new Error("gave no array");
  };
const pulledBy = (vjp: () => unknown): unknown => mx.grad(withRules(total, { vjp }))(x);
const pushedBy = (jvp: () => unknown): unknown => mx.jvp(withRules(square, { jvp }), [x], [x]);
const batchedBy = (rule: () => unknown): unknown => mx.vmap(withRules(square, { vmap: rule }))(x);

describe("what a function or a rule gives is refused if it does not fit:", () => {
  it.each<readonly [title: string, run: () => unknown, operation: string, message: string]>([
    ["a Promise, in a checkpoint", () => mx.checkpoint(late)(x), "checkpoint", "must not be asynchronous"],
    ["a Promise, under rules", () => mx.customFunction(late, {})(x), "customFunction", "must not be asynchronous"],
    // Those that reject would end the process if nobody heard of it.
    ["a Promise, for cotangents", () => pulledBy(failing), "customFunction", "must not be asynchronous"],
    ["a Promise, for tangents", () => pushedBy(failing), "customFunction", "must not be asynchronous"],
    ["a Promise, for a batch", () => batchedBy(failing), "customFunction", "must not be asynchronous"],
    ["a Promise, to pull back", () => called(mx.vjp, failing, [x], [x]), "vjp", "must not be asynchronous"],
    ["a Promise, to push forward", () => called(mx.jvp, failing, [x], [x]), "jvp", "must not be asynchronous"],
    ["a Promise, in tidy", () => mx.tidy(failing), "tidy", "the function is asynchronous"],
    ["a Promise, on a device", () => mx.withDevice("cpu", failing), "withDevice", "the function is asynchronous"],
    ["a cotangent for no argument", () => pulledBy(() => [x, x]), "customFunction", "1 arguments, got 2 cotangents"],
    ["no cotangents", () => pulledBy(() => []), "customFunction", "1 arguments, got 0 cotangents"],
    [
      "a cotangent that is a number",
      () => pulledBy(() => [3]),
      "customFunction",
      "at 0 is an array, or null, got a number",
    ],
    ["a cotangent of another shape", () => pulledBy(() => [mx.ones([3])]), "customFunction", "shape [3]"],
    ["no tangent", () => pushedBy(() => undefined), "customFunction", "the result are 1 arrays, jvp gave 0"],
    ["a tangent too many", () => pushedBy(() => [x, x]), "customFunction", "the result are 1 arrays, jvp gave 2"],
    ["a batch without its axis", () => batchedBy(() => x), "customFunction", "vmap returns a list of two"],
    ["a batch of no array", () => batchedBy(() => [3, 0]), "customFunction", "vmap gave no array 0 of the result"],
    [
      "a batch at an axis that it does not have",
      () => batchedBy(() => [x, 3]),
      "customFunction",
      "axis 3 is out of range",
    ],
    [
      "a batch of other examples",
      () => batchedBy(() => [mx.ones([3]), 0]),
      "customFunction",
      "shape [3]; for these examples it has [2]",
    ],
    ["a batch with no axis to go to", () => mx.vmap(square, { outAxes: null })(x), "vmap", "outAxes names no axis"],
    [
      "a batch left out",
      () => mx.vmap((a: mx.MLXArray) => [a, a], { outAxes: [0] })(x),
      "vmap",
      "outAxes names no axis",
    ],
  ])("%s", async (title, run, operation, message) => {
    await expectRefusal(run, operation, message, title);
  });

  it("what the examples share needs no axis, and a rule may leave an argument out", async () => {
    const [shared, own] = mx.vmap((a: mx.MLXArray) => [mx.array(5), a] as const, { outAxes: [null, 0] })(x);
    expect([await shared.item(), await own.tolist()]).toEqual([5, [1, 2]]);
    const scaled = mx.customFunction((a: mx.MLXArray, b: mx.MLXArray) => a.mul(b).sum(), { vjp: () => [x, null] });
    const [toA, toB] = mx.grad(scaled, [0, 1])(x, x);
    expect([await toA.tolist(), await toB.tolist()]).toEqual([
      [1, 2],
      [0, 0],
    ]);
  });
});
