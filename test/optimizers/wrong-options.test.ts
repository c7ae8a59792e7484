/** Optimizers, schedules and clipping refuse options and numbers that they cannot use, by name. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";
import type { OptionCase, OptionsTaker } from "../setup/wrong-options.ts";
import { called, describeOptions, expectRefusal, made, noFlags, noNumbers } from "../setup/wrong-options.ts";

const classes: Readonly<Record<string, unknown>> = { ...optim };
const endless = Number.POSITIVE_INFINITY;
const flag: OptionCase = [false, ...noFlags];
const fromZero: OptionCase = [0.1, ...noNumbers, -1, endless];
const positive: OptionCase = [0.1, ...noNumbers, 0, -1, endless];
const momentum: OptionCase = [0.9, ...noNumbers, -0.1, 1];
const betas: OptionCase = [[0.5, 0.9], ...noNumbers, 0.9, [0.9], [0.5, 1], [0.5, "0.9"], [0.5, 0.9, 0.9]];
const share: OptionCase = [0.9, ...noNumbers, -0.1, 1.1];

/** What no learning rate is: numbers, arrays, and functions that give no rate. */
const noRates: readonly unknown[] = [
  ...[...noNumbers, -0.1, endless, mx.ones([2])],
  ...[() => Number.NaN, () => undefined, () => "0.1", () => mx.ones([2])],
];

const optimizers: Readonly<Record<string, OptionsTaker["options"]>> = {
  SGD: { momentum, weightDecay: fromZero, dampening: share, nesterov: flag },
  Lion: { betas, weightDecay: fromZero },
  RMSprop: { alpha: share, eps: positive },
  Adagrad: { eps: positive },
  AdaDelta: { rho: share, eps: positive },
  Adam: { betas, eps: fromZero, biasCorrection: flag },
  AdamW: { betas, eps: fromZero, biasCorrection: flag, weightDecay: fromZero },
  Adamax: { betas, eps: fromZero },
  Adafactor: {
    eps: [[1e-30, 1e-3], ...noNumbers, 1e-3, [1e-3], [-1, 1]],
    clipThreshold: positive,
    decayRate: [-0.5, ...noNumbers, 0.8],
    beta1: [null, Number.NaN, "0.9", 1, -0.1],
    weightDecay: fromZero,
    scaleParameter: flag,
    relativeStep: flag,
    warmupInit: flag,
  },
  Muon: { momentum, weightDecay: fromZero, nesterov: flag, nsSteps: [5, ...noNumbers, -1, 1.5] },
};

describeOptions(
  "an optimizer with options:",
  Object.fromEntries(
    Object.entries(optimizers).map(([name, others]) => [
      name,
      {
        call: (given) => made(classes[name], given),
        operation: name,
        needed: { learningRate: 0.1 },
        options: { learningRate: [() => mx.array(0.1)], ...others },
      },
    ]),
  ),
);

describe("a learning rate that is none", () => {
  it.each(Object.keys(optimizers))("is refused by %s", async (name) => {
    for (const learningRate of noRates)
      await expectRefusal(() => made(classes[name], { learningRate }), name, "rate", String(learningRate));
  });

  it("is refused when it is set, or a schedule comes to it", async () => {
    const optimizer = new optim.SGD({ learningRate: 0.1 });
    for (const rate of [...noRates, optim.linearSchedule(0, 1, 3), undefined])
      await expectRefusal(() => Reflect.set(optimizer, "learningRate", rate), "SGD", "rate", String(rate));
    let rate: mx.MLXArray = mx.array(0.1);
    const scheduled = new optim.SGD({ learningRate: () => rate });
    const parameters = { w: mx.array([1]) };
    expect(await scheduled.applyGradients(parameters, parameters).w.item()).toBeCloseTo(0.9);
    rate = mx.ones([2]);
    expect(() => scheduled.applyGradients(parameters, parameters)).toThrow(/SGD: .*a scalar array, got shape \[2\]/);
    expect(await scheduled.step.item()).toBe(1);
  });
});

describe("options of optimizers", () => {
  it("leave Adafactor no rate of 0 that nobody gave", async () => {
    const rateless = { relativeStep: false };
    await expectRefusal(() => new optim.Adafactor(rateless), "Adafactor", "needs a learningRate", "no rate");
    const optimizer = new optim.Adafactor({ relativeStep: false, learningRate: 0.1, scaleParameter: false });
    expect(await optimizer.applyGradients({ w: mx.array(3) }, { w: mx.array(1) }).w.item()).toBeCloseTo(0.9);
  });

  it("are tested for every optimizer", () => {
    const isClass = (value: unknown): boolean =>
      typeof value === "function" && value.prototype instanceof optim.Optimizer;
    const known = Object.entries(classes).flatMap(([name, value]) => (isClass(value) ? [name] : []));
    expect(known.sort()).toEqual([...Object.keys(optimizers), "MultiOptimizer"].sort());
  });

  it("may be more in a subclass, which passes all of them on", async () => {
    class Loud extends optim.AdamW {
      readonly name: string;
      constructor(options: optim.AdamWOptions & { readonly name: string }) {
        super(options);
        this.name = options.name;
      }
    }
    expect(new Loud({ learningRate: 0.1, weightDecay: 0.2, name: "loud" }).weightDecay).toBe(0.2);
    await expectRefusal(() => new Loud({ learningRate: 0.1, eps: -1, name: "loud" }), "AdamW", "eps", "a subclass");
  });

  it("are what the types say, too", () => {
    // @ts-expect-error a misspelt option
    expect(() => new optim.AdamW({ learningRate: 1, weight_decay: 0.1 })).toThrow(
      'AdamW: "weight_decay" is no option of { learningRate, betas, eps, biasCorrection, weightDecay }',
    );
    // @ts-expect-error a learning rate by its place
    expect(() => new optim.SGD(0.1)).toThrow(/SGD: takes options such as { learningRate: 0\.1 }/);
  });
});

const line = (): optim.Schedule => optim.linearSchedule(0, 1, 2);
const sgd = (): optim.SGD => new optim.SGD({ learningRate: 1 });
const model = (): nn.Linear => new nn.Linear(2, 3);
const failing = (): Promise<never> => Promise.reject(new Error("what it read has no value yet"));
const filtered = (...given: ConstructorParameters<typeof optim.MultiOptimizer>): unknown =>
  new optim.MultiOptimizer(...given).init({ w: mx.array([1]) });
type Mistake = readonly [title: string, run: () => unknown, operation: string, message: string];

describe("what cannot be trained with is refused:", () => {
  it.each<Mistake>([
    [
      "no first rate",
      () => optim.exponentialDecay(Number.NaN, 0.5),
      "exponentialDecay",
      "init is a number from 0, got NaN",
    ],
    [
      "a decay left out",
      () => called(optim.exponentialDecay, 0.1),
      "exponentialDecay",
      "decayRate is a number from 0, got undefined",
    ],
    ["a negative decay", () => optim.stepDecay(0.1, -0.5, 3), "stepDecay", "decayRate"],
    ["steps as text", () => called(optim.stepDecay, 0.1, 0.5, "3"), "stepDecay", "stepSize"],
    [
      "steps without end",
      () => optim.cosineDecay(0.1, endless),
      "cosineDecay",
      "decaySteps is a number of steps from 1, got Infinity",
    ],
    ["an end as text", () => called(optim.cosineDecay, 0.1, 3, "0"), "cosineDecay", 'end is a number from 0, got "0"'],
    ["no last rate", () => optim.linearSchedule(0, Number.NaN, 3), "linearSchedule", "end"],
    ["no steps", () => optim.linearSchedule(0, 1, 0), "linearSchedule", "steps"],
    ["a rate among schedules", () => called(optim.joinSchedules, [line(), 0.1], [2]), "joinSchedules", "schedules"],
    [
      "a boundary that is none",
      () => optim.joinSchedules([line(), line()], [Number.NaN]),
      "joinSchedules",
      "boundaries",
    ],
    [
      "boundaries that descend",
      () => optim.joinSchedules([line(), line(), line()], [5, 2]),
      "joinSchedules",
      "boundaries ascend, got 5, 2",
    ],
    ["a norm that is none", () => optim.clipGradNorm({ w: mx.ones([2]) }, Number.NaN), "clipGradNorm", "maxNorm"],
    ["a norm as text", () => called(optim.clipGradNorm, { w: mx.ones([2]) }, "1"), "clipGradNorm", "maxNorm"],
    [
      "one optimizer in place of several",
      () => made(optim.MultiOptimizer, sgd()),
      "MultiOptimizer",
      "optimizers is a list",
    ],
    ["an asynchronous schedule", () => made(optim.SGD, { learningRate: failing }), "SGD", "must not be asynchronous"],
    [
      "an asynchronous filter",
      () => called(filtered, [sgd(), sgd()], [failing]),
      "MultiOptimizer",
      "must not be asynchronous",
    ],
    ["what is no optimizer", () => made(optim.MultiOptimizer, [{}]), "MultiOptimizer", "each an optimizer"],
    [
      "an optimizer twice",
      () => {
        const one = sgd();
        return new optim.MultiOptimizer([one, one], [() => true]);
      },
      "MultiOptimizer",
      "one optimizer is given twice",
    ],
    ["a filter as text", () => made(optim.MultiOptimizer, [sgd(), sgd()], ["bias"]), "MultiOptimizer", "filters"],
    [
      "a state of other names",
      () => Reflect.set(sgd(), "state", { steps: 1 }),
      "state",
      '"steps" is no option of { step,',
    ],
    ["a count as a number", () => Reflect.set(sgd(), "state", { step: 1 }), "state", "step is an array"],
    ["no parameters", () => called(sgd().init.bind(sgd()), undefined), "init", "got undefined"],
    ["no gradients", () => called(sgd().update.bind(sgd()), model(), undefined), "applyGradients", "got undefined"],
    [
      "gradients before the model",
      () => called(sgd().update.bind(sgd()), { w: mx.ones([2]) }, model()),
      "update",
      "takes a module, then its gradients",
    ],
  ])("%s", async (title, run, operation, message) => {
    await expectRefusal(run, operation, message, title);
  });
});
