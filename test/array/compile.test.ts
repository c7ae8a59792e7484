/** compile: when a function is recorded anew, what it reads and changes outside, and how it composes. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";

/** `fn` compiled, and how often it has been recorded. */
function counted<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options?: mx.CompileOptions,
): { readonly compiled: (...args: A) => R; readonly recordings: () => number } {
  let count = 0;
  const compiled = mx.compile((...args: A): R => {
    count++;
    return fn(...args);
  }, options);
  return { compiled, recordings: () => count };
}

describe("a compiled function", () => {
  it("is recorded once for arguments of one form", async () => {
    const { compiled, recordings } = counted((x: mx.MLXArray) => mx.exp(x).sum());
    for (const value of [0, 1, 2]) {
      const x = mx.full([3], value);
      expect(Number(await compiled(x).item())).toBeCloseTo(3 * Math.exp(value), 4);
    }
    expect(recordings()).toBe(1);
  });

  it("is recorded again for other shapes, dtypes and numbers of arguments, and remembers all of them", async () => {
    const { compiled, recordings } = counted((...list: mx.MLXArray[]) => list.reduce((a, b) => a.add(b)).sum());
    const round = async (): Promise<void> => {
      expect(await compiled(mx.ones([2])).item()).toBe(2);
      expect(await compiled(mx.ones([3])).item()).toBe(3);
      expect(await compiled(mx.ones([3, 1])).item()).toBe(3);
      expect(await compiled(mx.ones([3], "int32")).item()).toBe(3);
      expect(await compiled(mx.ones([2]), mx.ones([2])).item()).toBe(4);
    };
    await round();
    expect(recordings()).toBe(5);
    await round();
    expect(recordings()).toBe(5);
  });

  it("is recorded again for other arguments that are no arrays", async () => {
    const { compiled, recordings } = counted((x: mx.MLXArray, factor: number, name: string) =>
      name === "add" ? x.add(factor) : x.mul(factor),
    );
    expect(await compiled(mx.array([3]), 2, "add").tolist()).toEqual([5]);
    expect(await compiled(mx.array([3]), 4, "add").tolist()).toEqual([7]);
    expect(await compiled(mx.array([3]), 4, "mul").tolist()).toEqual([12]);
    expect(await compiled(mx.array([5]), 2, "add").tolist()).toEqual([7]);
    expect(recordings()).toBe(3);
  });

  it("gives gradients, tangents and batches of what the function reads from outside, where that is what they are taken of", async () => {
    const x = mx.array([1, 2]);
    const product = (w: mx.MLXArray): mx.MLXArray => mx.compile((y: mx.MLXArray) => y.mul(w).square())(x);
    const w = mx.array([1, 2]);
    expect(
      await mx
        .grad((v: mx.MLXArray) => product(v).sum())(w)
        .tolist(),
    ).toEqual([2, 16]);
    expect(await mx.jvp(product, [w], [w])[1][0]?.tolist()).toEqual([2, 32]);
    expect(
      await mx
        .vmap(product)(
          mx.array([
            [1, 2],
            [3, 4],
          ]),
        )
        .tolist(),
    ).toEqual([
      [1, 16],
      [9, 64],
    ]);
    const nested = mx.compile(product);
    expect(await nested(w).tolist()).toEqual([1, 16]);
    expect(await nested(mx.array([10, 10])).tolist()).toEqual([100, 400]);
  });

  it("reads the parameters that a gradient is taken of, and not those that were there when it was recorded", async () => {
    const layer = new nn.Linear(2, 1, { bias: false });
    const x = mx.array([1, 2]);
    layer.weight = mx.array([[1, 2]]);
    const squared = mx.compile((y: mx.MLXArray) => layer(y).square().sum());
    const gradient = nn.valueAndGrad(layer, (_, y: mx.MLXArray) => squared(y));
    expect(await squared(x).item()).toBe(25);
    expect(await gradient(layer, x)[1].weight.tolist()).toEqual([[10, 20]]);
    layer.weight = mx.array([[3, 2]]);
    const [value, { weight }] = gradient(layer, x);
    expect(await value.item()).toBe(49);
    expect(await weight.tolist()).toEqual([[14, 28]]);
  });

  it("gives the gradient of a call that takes over its state", async () => {
    const state = { total: mx.array([1, 1]) };
    const step = mx.compile(
      (x: mx.MLXArray) => {
        state.total = state.total.add(x);
        return x.mul(state.total).sum();
      },
      { inputs: [state], outputs: [state], donate: true },
    );
    expect(
      await mx
        .grad(step)(mx.array([1, 2]))
        .tolist(),
    ).toEqual([3, 5]);
    expect(await state.total.tolist()).toEqual([2, 3]);
  });

  it("tells apart arguments that look alike", async () => {
    const inverse = mx.compile((x: mx.MLXArray, k: number) => x.div(k));
    expect(await inverse(mx.array([1]), 0).tolist()).toEqual([Number.POSITIVE_INFINITY]);
    expect(await inverse(mx.array([1]), -0).tolist()).toEqual([Number.NEGATIVE_INFINITY]);
    const count = mx.compile((x: mx.MLXArray, ...names: string[]) => x.mul(names.length));
    expect(await count(mx.array([1]), "a;string:1 b").tolist()).toEqual([1]);
    expect(await count(mx.array([1]), "a", "b").tolist()).toEqual([2]);
    expect(await count(mx.array([1]), "a;string:b").tolist()).toEqual([1]);
    const keys = mx.compile((x: mx.MLXArray, tree: object) => x.mul(Object.keys(tree).length));
    expect(await keys(mx.array([1]), { "a=number:1;b": 2 }).tolist()).toEqual([1]);
    expect(await keys(mx.array([1]), { a: 1, b: 2 }).tolist()).toEqual([2]);
  });

  it("takes and returns trees", async () => {
    const { compiled, recordings } = counted((tree: { a: mx.MLXArray; list: mx.MLXArray[] }, k: number) => ({
      sum: tree.list.reduce((x, y) => x.add(y), tree.a),
      rest: [tree.a.mul(k), { same: tree.a, text: "kept" }] as const,
    }));
    for (const value of [1, 2]) {
      const a = mx.full([2], value);
      const result = compiled({ a, list: [a, a] }, 10);
      expect(await result.sum.tolist()).toEqual([3 * value, 3 * value]);
      expect(await result.rest[0].tolist()).toEqual([10 * value, 10 * value]);
      expect(await result.rest[1].same.tolist()).toEqual([value, value]);
      expect(result.rest[1].text).toBe("kept");
    }
    expect(recordings()).toBe(1);
  });

  it("fixes arrays that it reads from outside when it is recorded", async () => {
    let outside = mx.array([1]);
    const { compiled } = counted((x: mx.MLXArray) => x.add(outside));
    expect(await compiled(mx.array([1])).tolist()).toEqual([2]);
    outside = mx.array([100]);
    expect(await compiled(mx.array([1])).tolist()).toEqual([2]);
  });

  it("may be called with arrays that are not computed yet, and with its own results", async () => {
    const { compiled, recordings } = counted((x: mx.MLXArray) => x.mul(2).add(1));
    let x = mx.array([1]).add(0);
    for (let i = 0; i < 10; i++) x = compiled(x);
    expect(await x.item()).toBe(2 ** 11 - 1);
    expect(recordings()).toBe(1);
  });

  it("finds the recording of each form when they alternate", async () => {
    const { compiled, recordings } = counted((x: mx.MLXArray, k?: number | mx.MLXArray) => x.add(k ?? 1));
    const [short, long, whole] = [mx.array([1, 2]), mx.array([1, 2, 3]), mx.array([1, 2], "int32")];
    for (let round = 0; round < 2; round++) {
      expect(await compiled(short).tolist()).toEqual([2, 3]);
      expect(await compiled(mx.array([3, 4])).tolist()).toEqual([4, 5]);
      expect(await compiled(long).tolist()).toEqual([2, 3, 4]);
      expect(await compiled(whole).tolist()).toEqual([2, 3]);
      expect(await compiled(short, short).tolist()).toEqual([2, 4]);
      expect(await compiled(short, 5).tolist()).toEqual([6, 7]);
      expect(await compiled(short, 6).tolist()).toEqual([7, 8]);
    }
    expect(recordings()).toBe(6);
  });

  it("can be given one array twice", async () => {
    const { compiled } = counted((x: mx.MLXArray, y: mx.MLXArray) => [x.sub(y), x.add(y)]);
    const x = mx.array([3]);
    const [difference, sum] = compiled(x, x);
    expect(await difference?.tolist()).toEqual([0]);
    expect(await sum?.tolist()).toEqual([6]);
    const [again] = compiled(x, mx.array([1]));
    expect(await again?.tolist()).toEqual([2]);
  });

  it("does not keep a failed recording", async () => {
    let fails = true;
    const { compiled } = counted((x: mx.MLXArray) => {
      if (fails) throw new RangeError("mine");
      return x.add(1);
    });
    expect(() => compiled(mx.array([1]))).toThrow(RangeError);
    fails = false;
    expect(await compiled(mx.array([1])).tolist()).toEqual([2]);
  });

  it("forgets the least recently used recordings", async () => {
    const { compiled, recordings } = counted((x: mx.MLXArray, k: number) => x.add(k));
    for (let k = 0; k < 300; k++) compiled(mx.array([1]), k);
    expect(recordings()).toBe(300);
    compiled(mx.array([1]), 299);
    expect(recordings()).toBe(300);
    expect(await compiled(mx.array([1]), 0).tolist()).toEqual([1]);
    expect(recordings()).toBe(301);
  });

  it("serves any lengths when shapeless", async () => {
    const { compiled, recordings } = counted((x: mx.MLXArray) => x.sum(), { shapeless: true });
    const lengths = Array.from({ length: 200 }, (_, k) => k + 1);
    for (const length of lengths) expect(await compiled(mx.ones([length])).item()).toBe(length);
    const before = recordings();
    for (const length of lengths) compiled(mx.ones([length]));
    expect(recordings()).toBe(before);
  });

  /** MLX 0.32.4, which records once, refuses these, or keeps the lengths of the first call. */
  const lengthDependent: Readonly<Record<string, (x: mx.MLXArray) => mx.MLXArray>> = {
    "a length as a number": (x) => x.mean(0).mul(x.shape[0] ?? 0),
    "a reshape to a length": (x) => x.reshape([x.shape[0] ?? 0, 2, -1]),
    "an axis taken apart": (x) => mx.unflatten(x, 1, [2, -1]),
    "a broadcast to its own shape": (x) => mx.broadcastTo(x, [3, ...x.shape]),
    "a slice from the end": (x) => x.get("1:-1, ::2"),
    "the last row": (x) => x.get(-1),
    "taken columns": (x) => mx.take(x, mx.array([0, 1], "int32"), 1),
    "the second half": (x) => mx.split(x, 2, -1)[1] ?? x,
    "a range": (x) => x.add(mx.arange(x.shape[1] ?? 0)),
    padding: (x) => mx.pad(x, 1),
    rolling: (x) => mx.roll(x, 1, 0),
    tiles: (x) => mx.tile(x, [2, 1]),
    "repeated rows": (x) => mx.repeat(x, 2, 0),
    "a diagonal": (x) => mx.diagonal(x),
    "a triangle": (x) => mx.tril(x),
    "an update": (x) => x.at(0).add(1),
  };

  it.each(Object.keys(lengthDependent))("is right for all lengths when shapeless: %s", async (name) => {
    const fn = lengthDependent[name] ?? mx.negative;
    const compiled = mx.compile(fn, { shapeless: true });
    for (const shape of [
      [4, 6],
      [5, 8],
      [3, 2],
      [4, 6],
    ]) {
      const x = mx.arange(mx.zeros(shape).size).reshape(shape);
      const [result, expected] = [compiled(x), fn(x)];
      expect(result.shape).toEqual(expected.shape);
      expect(await result.tolist()).toEqual(await expected.tolist());
    }
  });
});

describe("captured state", () => {
  it("is read anew at each call if it is named in inputs", async () => {
    const state = { bias: mx.array([1]) };
    const { compiled, recordings } = counted((x: mx.MLXArray) => x.add(state.bias), { inputs: [state] });
    expect(await compiled(mx.array([1])).tolist()).toEqual([2]);
    state.bias = mx.array([100]);
    expect(await compiled(mx.array([1])).tolist()).toEqual([101]);
    expect(recordings()).toBe(1);
    state.bias = mx.array([1, 2]);
    expect(await compiled(mx.array([1])).tolist()).toEqual([2, 3]);
    expect(recordings()).toBe(2);
  });

  it("is left changed if it is named in outputs", async () => {
    const state = { count: mx.array(0), history: [mx.array([0])] };
    const { compiled, recordings } = counted(
      (x: mx.MLXArray) => {
        state.count = state.count.add(1);
        const [latest = x] = state.history;
        state.history[0] = latest.add(x);
        return state.count.mul(10);
      },
      { inputs: [state], outputs: [state] },
    );
    const results: mx.MLXArray[] = [];
    for (let i = 1; i <= 5; i++) results.push(compiled(mx.array([i])));
    await mx.evaluate(results, state);
    expect(await Promise.all(results.map((result) => result.item()))).toEqual([10, 20, 30, 40, 50]);
    expect(await state.count.item()).toBe(5);
    expect(await state.history[0]?.tolist()).toEqual([15]);
    expect(recordings()).toBe(1);
  });

  it.each(["in inputs", "as an argument"])(
    "follows a module %s to evaluation and into freezing, and back",
    async (place) => {
      const model = new nn.Sequential(new nn.Linear(2, 100), new nn.Dropout(0.5));
      const x = mx.ones([1, 2]);
      const { compiled, recordings } = counted(
        (m: typeof model, given: mx.MLXArray) => ({
          zeros: m(given).equal(0).sum(),
          trainable: mx.treeFlatten(m.trainableParameters()).length,
        }),
        { inputs: place === "in inputs" ? [model, mx.random.state] : [mx.random.state], outputs: [mx.random.state] },
      );
      for (const _ of [0, 1]) {
        expect(await compiled(model.train(), x).zeros.item()).toBeGreaterThan(10);
        expect(await compiled(model.eval(), x).zeros.item()).toBe(0);
        model.layers[0].freeze({ keys: "bias" });
        expect(compiled(model, x).trainable).toBe(1);
        model.unfreeze();
        expect(compiled(model, x).trainable).toBe(2);
      }
      expect(recordings()).toBe(3);
    },
  );

  it("is untouched when recording fails", async () => {
    const state = { value: mx.array([1]) };
    const { compiled } = counted(
      (x: mx.MLXArray) => {
        state.value = state.value.add(x);
        throw new RangeError("mine");
      },
      { inputs: [state], outputs: [state] },
    );
    expect(() => compiled(mx.array([1]))).toThrow(RangeError);
    expect(await state.value.tolist()).toEqual([1]);
  });

  it("can be the random state: every call draws anew, the same numbers as without compile", async () => {
    const draw = (): mx.MLXArray => mx.random.normal([4]);
    const { compiled, recordings } = counted(draw, { inputs: [mx.random.state], outputs: [mx.random.state] });
    mx.random.seed(7);
    const expected = [await draw().tolist(), await draw().tolist()];
    mx.random.seed(7);
    expect([await compiled().tolist(), await compiled().tolist()]).toEqual(expected);
    expect(recordings()).toBe(1);
  });
});

describe("a step that fails while it is recorded", () => {
  const x = mx.array([[1, 2]]);
  /** A step that makes the optimizer's state, and fails as long as `flaws` has something to throw. */
  function failing(model: nn.Linear, optimizer: optim.Optimizer, flaws: Error[]): () => mx.MLXArray {
    const differentiated = nn.valueAndGrad(model, (m: nn.Linear) => m(x).square().sum());
    return () => {
      const [loss, gradients] = differentiated(model);
      optimizer.update(model, gradients);
      const flaw = flaws.pop();
      if (flaw) throw flaw;
      return loss;
    };
  }

  it("leaves model and optimizer as they were, and runs when its flaw is mended", async () => {
    const model = new nn.Linear(2, 1).update({ weight: mx.array([[1, 1]]), bias: mx.array([1]) });
    const optimizer = new optim.Adam({ learningRate: 0.1 });
    const state = [model, optimizer];
    const step = mx.compile(failing(model, optimizer, [new RangeError("mine")]), { inputs: state, outputs: state });
    expect(() => step()).toThrow(RangeError);
    expect(Object.keys(optimizer.flatState())).toEqual(["step", "learningRate"]);
    expect(await model.weight.tolist()).toEqual([[1, 1]]);
    expect(await step().item()).toBe(16);
    expect(await optimizer.step.item()).toBe(1);
  });

  it("does so where it is asynchronous, which is refused", async () => {
    const model = new nn.Linear(2, 1);
    const optimizer = new optim.Adam({ learningRate: 0.1 });
    const state = [model, optimizer];
    const step = failing(model, optimizer, []);
    const late = mx.compile(async () => step(), { inputs: state, outputs: state });
    expect(() => late()).toThrow(/must not be asynchronous/);
    step();
    await mx.evaluate(state);
    expect(await optimizer.step.item()).toBe(1);
  });

  it("takes back what it added to plain objects and lists, or put in their places", async () => {
    const state: { list: mx.MLXArray[]; more: Record<string, mx.MLXArray> } = { list: [x], more: { y: x } };
    const step = mx.compile(
      () => {
        state.list.push(x.mul(2));
        state.more.z = x.mul(3);
        state.more = { w: x.mul(4) };
        throw new RangeError("mine");
      },
      { outputs: [state] },
    );
    expect(() => step()).toThrow(RangeError);
    expect(state).toEqual({ list: [x], more: { y: x } });
  });
});

describe("compile composes", () => {
  const cube = (x: mx.MLXArray): mx.MLXArray => x.mul(x).mul(x).sum();

  it("with grad on both sides, twice", async () => {
    const x = mx.array([1, 2, 3]);
    expect(await mx.compile(mx.grad(cube))(x).tolist()).toEqual([3, 12, 27]);
    expect(await mx.grad(mx.compile(cube))(x).tolist()).toEqual([3, 12, 27]);
    const slope = (y: mx.MLXArray): mx.MLXArray => mx.grad(mx.compile(cube))(y).sum();
    expect(await mx.grad(slope)(x).tolist()).toEqual([6, 12, 18]);
    expect(
      await mx
        .compile(mx.grad(mx.compile(slope)))(x)
        .tolist(),
    ).toEqual([6, 12, 18]);
  });

  it("with vmap on both sides", async () => {
    const row = (x: mx.MLXArray, y: mx.MLXArray): mx.MLXArray => x.mul(y).sum();
    const [x, y] = [
      mx.array([
        [1, 2],
        [3, 4],
      ]),
      mx.array([10, 100]),
    ];
    expect(
      await mx
        .vmap(mx.compile(row), { inAxes: [0, null] })(x, y)
        .tolist(),
    ).toEqual([210, 430]);
    expect(
      await mx
        .compile(mx.vmap(row, { inAxes: [0, null] }))(x, y)
        .tolist(),
    ).toEqual([210, 430]);
    expect(
      await mx
        .compile(mx.vmap(mx.grad(cube)))(mx.array([1, 2]))
        .tolist(),
    ).toEqual([3, 12]);
    expect(
      await mx
        .vmap(mx.grad(mx.compile(cube)))(mx.array([1, 2]))
        .tolist(),
    ).toEqual([3, 12]);
  });

  it("with vmap over an argument that some result does not depend on", async () => {
    const both = mx.compile((x: mx.MLXArray, y: mx.MLXArray) => [x.mul(2), y.add(1)] as const);
    const [shared, own] = mx.vmap(both, { inAxes: [null, 0] })(mx.array([1, 2]), mx.array([5, 6, 7]));
    expect(await shared.tolist()).toEqual([
      [2, 4],
      [2, 4],
      [2, 4],
    ]);
    expect(await own.tolist()).toEqual([6, 7, 8]);
  });

  it("with itself", async () => {
    const inner = mx.compile((x: mx.MLXArray) => mx.tanh(x).add(1));
    const { compiled: outer, recordings } = counted((x: mx.MLXArray) => inner(inner(x)).mul(2));
    const exact = (x: number): number => 2 * (Math.tanh(Math.tanh(x) + 1) + 1);
    for (const value of [0, 0.5, 1]) expect(Number(await outer(mx.array(value)).item())).toBeCloseTo(exact(value), 5);
    expect(recordings()).toBe(1);
  });

  it("with several results of which some are used", async () => {
    const compiled = mx.compile((x: mx.MLXArray) => [x.add(1), x.mul(2), x.sum()] as const);
    const x = mx.array([1, 2]);
    const [, doubled] = compiled(x);
    expect(await doubled.tolist()).toEqual([2, 4]);
    const [first, , total] = compiled(x);
    expect(await first.mul(total).tolist()).toEqual([6, 9]);
  });
});

it("results of a call that are computed and let go of one by one keep what the others need", async () => {
  const x = mx.ones([4]).add(1);
  const [sum, product, difference] = mx.compile((y: mx.MLXArray) => [y.add(1), y.mul(2), y.sub(1)] as const)(x);
  x.dispose();
  expect(await sum.tolist()).toEqual([3, 3, 3, 3]);
  sum.dispose();
  expect(await product.tolist()).toEqual([4, 4, 4, 4]);
  expect(await difference.tolist()).toEqual([1, 1, 1, 1]);
});
