/** What evaluations compute on their way to others, and the third of them keeps: loops that evaluate too little stay quick. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";

const x = mx.linspace(-1, 1, 64).reshape([64, 1]);
const y = x.square();

describe("an array that is computed again and again on the way to others", () => {
  it("is kept by the third evaluation: a model draws its first weights no longer", async () => {
    const model = new nn.Linear(1, 16);
    const seen: boolean[] = [];
    const sums: unknown[] = [];
    for (let k = 0; k < 4; k++) {
      sums.push(await model(x).sum().item());
      seen.push(model.weight.isEvaluated);
    }
    expect(seen).toEqual([false, false, true, true]);
    expect(new Set(sums).size).toBe(1);
    expect(mx.explain(model(x)).flops).toBe(mx.explain(x.matmul(mx.ones([1, 16])).add(model.bias ?? 0)).flops);
  });

  it("is the topmost of its kind: what lies below is not kept, nor are views", async () => {
    const below = x.exp();
    const top = below.add(1);
    const view = top.transpose();
    for (let k = 0; k < 3; k++) await view.mul(k).sum().item();
    expect([below, top, view].map(({ isEvaluated }) => isEvaluated)).toEqual([false, true, false]);
    expect(await view.sum().item()).toBeCloseTo(64 + Number(await x.exp().sum().item()), 3);
  });

  it("is in what explain says of the evaluation that will keep it", async () => {
    const kept = x.mul(3).exp();
    const shownBytes: number[] = [];
    for (let k = 0; k < 4; k++) {
      const total = kept.sum();
      shownBytes.push(mx.explain(total).bytes);
      await total.item();
    }
    const [input, one] = [x.nbytes, 4];
    expect(shownBytes).toEqual([input + one, input + one, input + 2 * kept.nbytes + one, kept.nbytes + one]);
  });

  it("is not kept if it is large: it may have been meant never to lie in memory", async () => {
    const wide = mx.ones([4200, 1]).mul(mx.ones([4200]));
    for (let k = 0; k < 4; k++) expect(await wide.get(k).sum().item()).toBe(4200);
    expect(wide.isEvaluated).toBe(false);
  });

  it("is not kept by two: reading the loss and then evaluating what follows from it", async () => {
    const hidden = x.mul(2).exp();
    await hidden.sum().item();
    await hidden.mean().item();
    expect(hidden.isEvaluated).toBe(false);
  });
});

describe("a loop that only reads its loss", () => {
  it("costs as much in every step, with an optimizer", async () => {
    mx.random.seed(0);
    const model = new nn.Sequential(new nn.Linear(1, 16), nn.tanh, new nn.Linear(16, 1));
    const lossOf = (m: typeof model): mx.MLXArray => nn.losses.mseLoss(m(x), y);
    const optimizer = new optim.Adam({ learningRate: 0.01 });
    const kernels: number[] = [];
    const losses: number[] = [];
    for (let step = 0; step < 30; step++) {
      const [loss, gradients] = nn.valueAndGrad(model, lossOf)(model);
      optimizer.update(model, gradients);
      kernels.push(mx.explain(loss).kernels.length);
      losses.push(Number(await loss.item()));
    }
    expect(kernels[29]).toBe(kernels[9]);
    expect(losses[29]).toBeLessThan((losses[0] ?? 0) / 5);
  });

  it("computes the same as one that evaluates every step", async () => {
    const losses = async (isEvaluated: boolean): Promise<number[]> => {
      let w = mx.ones([1]);
      const found: number[] = [];
      for (let step = 0; step < 12; step++) {
        const [loss, slope] = mx.valueAndGrad((w: mx.MLXArray) => x.mul(w).sub(y).square().mean())(w);
        w = w.sub(slope.mul(0.5));
        if (isEvaluated) await mx.evaluate(w);
        found.push(Number(await loss.item()));
      }
      return found;
    };
    const [lazy, evaluated] = [await losses(false), await losses(true)];
    lazy.forEach((loss, step) => {
      expect(loss, `in step ${step}`).toBeCloseTo(evaluated[step] ?? Number.NaN, 6);
    });
  });
});

describe("a graph that is evaluated in parts, again and again", () => {
  const first = Math.floor(Math.random() * 2 ** 31);

  it(`has the values that it has at once (seed ${first})`, async () => {
    const both = mx.compile((a: mx.MLXArray, b: mx.MLXArray) => [a.mul(b).tanh(), a.sub(b)]);
    const operations: readonly ((a: mx.MLXArray, b: mx.MLXArray) => readonly mx.MLXArray[])[] = [
      (a, b) => [a.add(b).mul(0.5)],
      (a, b) => [a.mul(b)],
      (a, b) => [a.matmul(b).mul(0.1)],
      (a) => [a.transpose()],
      (a) => [mx.softmax(a, 0)],
      (a) => [mx.sort(a, -1)],
      (a) => [a.sub(a.mean(0))],
      (a) => mx.split(a, 2, 0).map((half) => mx.concatenate([half, half], 0)),
      both,
      (a) => [mx.cumsum(a, 0).mul(0.1)],
    ];
    let seed = first;
    const draw = <T>(list: readonly T[]): T => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      const drawn = list[Math.floor((seed / 2 ** 31) * list.length)];
      if (drawn === undefined) throw new Error("nothing to draw from");
      return drawn;
    };
    const graph = (): mx.MLXArray[] => {
      const start = mx.linspace(-1, 1, 64).reshape([8, 8]);
      const arrays = [start, start.sin()];
      for (let k = 0; k < 12; k++) arrays.push(...draw(operations)(draw(arrays), draw(arrays)));
      return arrays;
    };
    let kept = 0;
    for (let round = 0; round < 10; round++) {
      const begin = seed;
      const expected = graph();
      await mx.evaluate(expected);
      seed = begin;
      const arrays = graph();
      for (let k = 0; k < 12; k++) await mx.evaluate(draw(arrays).add(0), draw(arrays).add(0));
      kept += arrays.filter(({ isEvaluated }) => isEvaluated).length;
      for (const [k, array] of arrays.entries()) {
        const isSame = mx.allClose(array, expected[k] ?? 0, { rtol: 1e-4, atol: 1e-5 });
        expect(await isSame.item(), `array ${k} of round ${round}`).toBe(true);
      }
    }
    expect(kept).toBeGreaterThan(0);
  });
});
