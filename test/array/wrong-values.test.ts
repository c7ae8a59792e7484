/** Functions that take options and are no operations, and draws of random numbers, refuse what they cannot use. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as worker from "mlx-ts/worker";
import { describe, expect, it } from "vitest";
import type { OptionCase } from "../setup/wrong-options.ts";
import { called, describeOptions, expectRefusal, noFlags, noSizes } from "../setup/wrong-options.ts";

const square = (x: mx.MLXArray): mx.MLXArray => x.mul(x).sum();
const flag: OptionCase = [true, ...noFlags];
const model = new nn.Linear(2, 3);
const trees: OptionCase = [[model, { x: mx.array(1) }], model, mx.array(1), {}, null, [mx.array(1)], [undefined], [1]];
const rule: OptionCase = [undefined, "vjp", null, 3];
const path: OptionCase = [undefined, 3, "", null, true];
const x = mx.ones([2, 3]);

describeOptions("options are refused by", {
  compile: {
    call: (options) => called(mx.compile, square, options),
    operation: "compile",
    options: { inputs: trees, outputs: trees, shapeless: flag, donate: flag },
  },
  vmap: {
    call: (options) => called(called(mx.vmap, square, options), x),
    operation: "vmap",
    options: { inAxes: [1, "1", 0.5, true], outAxes: [0, "0", 0.5, true] },
  },
  customFunction: {
    call: (rules) => called(mx.customFunction, square, rules),
    operation: "customFunction",
    options: { vjp: rule, jvp: rule, vmap: rule },
  },
  setDefaultDevice: {
    call: (options) => called(mx.setDefaultDevice, "cpu", options),
    operation: "setDefaultDevice",
    options: { wide: ["error", "gpu", true, null] },
  },
  save: { call: (options) => called(mx.save, x, options), operation: "save", options: { path } },
  savez: { call: (options) => called(mx.savez, { x }, options), operation: "savez", options: { path } },
  savezCompressed: {
    call: (options) => called(mx.savezCompressed, { x }, options),
    operation: "savezCompressed",
    options: { path },
  },
  saveSafetensors: {
    call: (options) => called(mx.saveSafetensors, { x }, options),
    operation: "saveSafetensors",
    options: { path, metadata: [{ format: "mlx" }, { step: 3 }, "mlx", null] },
  },
  joinMemory: {
    call: (options) => called(worker.joinMemory, { member: null }, options),
    operation: "joinMemory",
    options: { threads: [undefined, ...noSizes] },
  },
  toHandle: {
    call: async (options) => worker.discardHandle(Object(await called(worker.toHandle, x, options))),
    operation: "toHandle",
    options: { receiver: [{ member: null }, 3, null] },
  },
  shareArrays: {
    call: async (options) => {
      const { message } = Object(await called(worker.shareArrays, { x }, options));
      worker.discardArrays(message);
    },
    operation: "shareArrays",
    options: { receiver: [{ member: null }, 3, null] },
  },
});

type Mistake = readonly [title: string, run: () => unknown, operation: string, message: string];
const { random } = mx;

describe("what makes no sense is refused:", () => {
  it.each<Mistake>([
    [
      "bounds that descend",
      () => random.uniform([2], { low: 2, high: 1 }),
      "uniform",
      "low is at most high, got 2 and 1",
    ],
    ["a bound of NaN", () => random.uniform([2], { low: Number.NaN }), "uniform", "low is a finite number, got NaN"],
    [
      "a bound without end",
      () => random.uniform([2], { high: Number.POSITIVE_INFINITY }),
      "uniform",
      "high is a finite number",
    ],
    ["a negative deviation", () => random.normal([2], { scale: -1 }), "normal", "scale is a number from 0, got -1"],
    ["a mean of NaN", () => random.normal([2], { loc: Number.NaN }), "normal", "loc is a finite number"],
    ["a negative scale", () => random.laplace([2], { scale: -1 }), "laplace", "scale is a number from 0"],
    ["a probability above 1", () => random.bernoulli(2), "bernoulli", "p is a number in [0, 1], got 2"],
    ["a negative probability", () => random.bernoulli(-0.1, [3]), "bernoulli", "p is a number in [0, 1]"],
    ["a probability of NaN", () => random.bernoulli(Number.NaN), "bernoulli", "got NaN"],
    ["integers that descend", () => random.randint(5, 2), "randint", "low is at most high, got 5 and 2"],
    ["integers of an empty range", () => random.randint(3, 3), "randint", "there is no number from 3 to below 3"],
    ["integers from NaN", () => random.randint(Number.NaN, 3), "randint", "low is a finite number"],
    ["bits of three bytes", () => called(random.bits, [2], { width: 3 }), "bits", "width is 1, 2 or 4 bytes, got 3"],
    [
      "a misspelt option of grad",
      () => called(mx.grad, square, { argnum: 0 }),
      "grad",
      '"argnum" is no option of { argnums, argnames }',
    ],
    [
      "a misspelt option of valueAndGrad",
      () => called(mx.valueAndGrad, square, { arg: 0 }),
      "valueAndGrad",
      '"arg" is no option',
    ],
    ["text for positions of arguments", () => called(mx.grad, square, { argnums: "0" }), "grad", "0 is no position"],
    ["a number for a name", () => called(mx.grad, square, { argnames: 3 }), "grad", "3 is no position"],
    ["no name", () => called(mx.valueAndGrad, square, { argnames: null }), "valueAndGrad", "null is no position"],
    ["no position", () => called(mx.grad, square, { argnums: null }), "grad", "null is no position"],
    ["a name twice", () => called(mx.grad, square, { argnames: ["w", "w"] }), "grad", "w is no position"],
    ["no names", () => called(mx.grad, square, { argnames: [] }), "grad", "no argument is named"],
    ["an axis as text", () => called(mx.vmap, square, { inAxes: ["0"] }), "vmap", "inAxes is an axis, null, or a list"],
    ["half an axis in a tree", () => called(mx.vmap, square, { outAxes: { w: 0.5 } }), "vmap", "outAxes is an axis"],
    [
      "an axis of what is not there",
      () =>
        called(
          mx.vmap((tree: Record<string, mx.MLXArray>) => tree, { inAxes: [{ w: 0, v: 0 }] }),
          { w: mx.ones([2]) },
        ),
      "vmap",
      'the axes name "v", but there is w',
    ],
    ["a checkpoint of a call", () => called(mx.checkpoint, square, mx.ones([2])), "checkpoint", "a MLXArray besides"],
    ["options of checkpoint", () => called(mx.checkpoint, square, {}), "checkpoint", "checkpoint(fn)(x)"],
    [
      "a name that every object has",
      () => called(called(mx.grad, square, { argnames: "toString" }), { x: mx.ones([1]) }),
      "grad",
      'there is no argument named "toString"',
    ],
    [
      "a name beside the position of the names",
      () => called(called(mx.grad, square, { argnums: 0, argnames: "x" }), { x: mx.ones([1]) }),
      "grad",
      "without its position",
    ],
    ["no options of grad", () => called(mx.grad, square, null), "grad", "argnames"],
    ["no array to hand over", () => called(worker.toHandle, 3), "toHandle", "needs an array"],
    [
      "no ticket to release",
      () => called(worker.releaseWorker, undefined),
      "releaseWorker",
      "ticket is what admitWorker gave",
    ],
    ["no handle to discard", () => called(worker.discardHandle, {}), "discardHandle", "takes what toHandle gave"],
  ])("%s", async (title, run, operation, message) => {
    await expectRefusal(run, operation, message, title);
  });

  it("and what the types refuse, they refuse", () => {
    // @ts-expect-error a misspelt option
    expect(() => mx.compile(square, { input: [model] })).toThrow('"input" is no option of { inputs,');
    // @ts-expect-error a misspelt option
    expect(() => mx.vmap(square, { in_axes: 1 })).toThrow('"in_axes" is no option of { inAxes, outAxes }');
    // @ts-expect-error a misspelt option
    expect(() => mx.grad(square, { argnum: 1 })).toThrow('"argnum"');
  });
});
