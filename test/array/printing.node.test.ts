/** What `console.log` shows of the library's things: values, not how they are made. */
import { inspect } from "node:util";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";

describe("console.log", () => {
  it("shows arrays within lists and objects", () => {
    const x = mx.array([1, 2]);
    expect(inspect({ x, list: [x.add(1), x.add(1).at(0)] })).toBe(`{
  x: array([1, 2], dtype=float32),
  list: [
    array(float32 [2], not yet computed),
    array(float32 [], not yet computed)
  ]
}`);
  });

  it("shows the bytes that mx.memory counts", () => {
    const zeros = { active: 0, peak: 0, cache: 0 };
    const none = { count: 0, bytes: 0 };
    const shown = { ...zeros, gpu: zeros, moves: { toGpu: none, toCpu: none } };
    expect(inspect(mx.memory, { depth: 3 }).replaceAll(/\d+/g, "0")).toBe(inspect(shown, { depth: 3 }));
  });

  it("shows an optimizer with its learning rate and its updates", async () => {
    const model = new nn.Linear(1, 1);
    const optimizer = new optim.AdamW({ learningRate: 1e-3 });
    optimizer.update(
      model,
      nn.valueAndGrad(model, (m: nn.Linear, x: mx.MLXArray) => m(x).sum())(model, mx.ones([1, 1]))[1],
    );
    const settings = "betas=[0.9, 0.999], eps=1e-8, biasCorrection=false, weightDecay=0.01";
    expect(inspect(optimizer)).toBe(`AdamW(learningRate=0.001, step=1, ${settings})`);
    const pair = new optim.MultiOptimizer([new optim.SGD({ learningRate: 1 }), optimizer], [() => true]);
    expect(inspect({ pair })).toContain("optimizers=[SGD(learningRate=1, step=0,");
    optimizer.learningRate = mx.array(1).mul(2);
    expect(`${optimizer}`).toContain("learningRate=not yet computed");
  });

  it("shows a model as a tree, and in a list too", () => {
    const model = new nn.Sequential(new nn.Linear(1, 2), nn.relu);
    expect(inspect([model])).toBe(`[
  Sequential(): 4 parameters
    layers.0: Linear(1 → 2) weight [2, 1], bias [2]: 4 parameters
]`);
  });

  it("shows what an explanation says", () => {
    const explanation = mx.explain(mx.array([1, 2]).add(1));
    expect(inspect(explanation)).toBe(`${explanation}`);
    expect(inspect(explanation)).toMatch(/^1 kernel, \d+ bytes, \d+ operations\n1\. loop add/);
  });
});
