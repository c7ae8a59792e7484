/** compile with `donate`: what is given up, what is kept, and that memory stays flat without the collector. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";

const length = 10_000;

/** A step that adds its argument to each of the arrays in `state`. */
function adding<S extends Record<string, mx.MLXArray>>(state: S, inputs: readonly unknown[] = [state]) {
  return mx.compile(
    (x: mx.MLXArray) => {
      for (const [name, array] of Object.entries(state)) Object.assign(state, { [name]: array.add(x) });
      return x.sum();
    },
    { inputs, outputs: [state], donate: true },
  );
}

async function computed(value: number): Promise<mx.MLXArray> {
  const x = mx.ones([length]).mul(value);
  await mx.evaluate(x);
  return x;
}

const first = async (x: mx.MLXArray): Promise<unknown> => (await x.data())[0];

describe("a call that donates", () => {
  it("uses the memory of what it replaces again: none is left to the collector", async () => {
    const state = { a: await computed(1), b: await computed(2) };
    const step = adding(state);
    const x = await computed(1);
    await mx.evaluate(step(x), state);
    const { active } = mx.memory;
    for (let k = 0; k < 20; k++) {
      await mx.evaluate(step(x), state);
      expect(mx.memory.active).toBe(active);
    }
    expect([await first(state.a), await first(state.b)]).toEqual([22, 23]);
  });

  it("makes reading what it replaced an error that says what to do", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    const before = state.total;
    step(mx.array(1));
    await expect(before.data()).rejects.toThrow(mx.DisposedError);
    await expect(before.data()).rejects.toThrow(
      /float32 \[10000\].*was donated .*donate: true.*use it before that, or keep array/,
    );
    expect(() => before.add(1)).toThrow(/donate: true/);
    expect(await first(state.total)).toBe(2);
    await expect(before.data()).rejects.toThrow(/donate: true/);
  });

  it("computes what was asked of the old arrays before", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    const [tripled, norm] = [state.total.mul(3), mx.fast.layerNorm(state.total)];
    for (let k = 0; k < 3; k++) await mx.evaluate(step(mx.array(1)), state);
    expect(await first(tripled)).toBe(3);
    expect(await first(norm)).toBe(0);
    expect(await first(state.total)).toBe(4);
  });

  it("may be evaluated with other arrays, in part, late, or after the next call", async () => {
    const state = { total: await computed(1), other: await computed(5) };
    const step = adding(state);
    const sums = [step(mx.array(1)), step(mx.array(2)), step(mx.array(3))];
    expect(await sums[1]?.item()).toBe(2);
    expect(await sums[0]?.item()).toBe(1);
    await mx.evaluate(state, mx.ones([3]).add(1));
    expect(await sums[2]?.item()).toBe(3);
    const more = step(mx.array(4));
    await mx.evaluate(state.total.mul(2), more.add(1));
    expect([await first(state.total), await first(state.other)]).toEqual([11, 15]);
  });

  it("takes numbers that were never stored", async () => {
    const state = { step: mx.array(0), rate: mx.array(0.5) };
    const step = mx.compile(
      () => {
        state.step = state.step.add(1);
        state.rate = state.rate.mul(0.5);
      },
      { inputs: [state], outputs: [state], donate: true },
    );
    for (let k = 0; k < 3; k++) {
      step();
      await mx.evaluate(state);
    }
    expect([await state.step.item(), await state.rate.item()]).toEqual([3, 0.0625]);
  });

  it("gives nothing up when recording fails", async () => {
    const state = { total: await computed(1) };
    const step = mx.compile(
      (x: mx.MLXArray) => {
        state.total = state.total.add(x);
        throw new RangeError("mine");
      },
      { inputs: [state], outputs: [state], donate: true },
    );
    expect(() => step(mx.array(1))).toThrow(RangeError);
    expect(await first(state.total)).toBe(1);
  });

  it("leaves the state to the next call when memory is exhausted", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    await mx.evaluate(step(mx.array(1)), state);
    step(mx.array(1));
    // No room at all, whatever of the garbage of other tests is collected meanwhile.
    mx.memory.clearCache();
    mx.memory.setMemoryLimit(0);
    await expect(mx.evaluate(state)).rejects.toThrow(mx.OutOfMemoryError);
    mx.memory.setMemoryLimit(2 ** 32);
    await mx.evaluate(state);
    expect(await first(state.total)).toBe(3);
  });

  it("can be recorded inside another one", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    const twice = mx.compile(
      (x: mx.MLXArray) => {
        step(x);
        return step(x);
      },
      { inputs: [state], outputs: [state] },
    );
    const before = state.total;
    await mx.evaluate(twice(mx.array(2)), state);
    expect([await first(state.total), await first(before)]).toEqual([5, 1]);
  });
});

describe("what stays in use is kept:", () => {
  it("arguments, also those that are state", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    const before = state.total;
    await mx.evaluate(step(before), state);
    expect([await first(before), await first(state.total)]).toEqual([1, 2]);
  });

  it("an array at a second place that is not replaced", async () => {
    const shared = await computed(1);
    const state = { total: shared };
    const other = { same: shared };
    const step = adding(state, [state, other]);
    await mx.evaluate(step(mx.array(1)), state);
    expect([await first(other.same), await first(state.total)]).toEqual([1, 2]);
  });

  it("arrays that the function leaves where they are, or returns", async () => {
    const state = { fixed: await computed(1), total: await computed(2) };
    const step = mx.compile(
      () => {
        const { total } = state;
        state.total = total.add(state.fixed);
        return total;
      },
      { inputs: [state], outputs: [state], donate: true },
    );
    const { fixed, total } = state;
    const returned = step();
    await mx.evaluate(returned, state);
    expect(state.fixed).toBe(fixed);
    expect([await first(fixed), await first(returned), await first(total), await first(state.total)]).toEqual([
      1, 2, 2, 3,
    ]);
  });

  it("arrays whose places are exchanged", async () => {
    const state = { a: await computed(1), b: await computed(2) };
    const swap = mx.compile(
      () => {
        [state.a, state.b] = [state.b, state.a];
      },
      { inputs: [state], outputs: [state], donate: true },
    );
    for (let k = 0; k < 3; k++) swap();
    expect([await first(state.a), await first(state.b)]).toEqual([2, 1]);
  });

  it("arrays that the recorded function itself reads from outside", async () => {
    const beginning = await computed(1);
    const state = { total: beginning };
    const step = mx.compile(
      () => {
        state.total = state.total.add(beginning);
      },
      { inputs: [state], outputs: [state], donate: true },
    );
    for (let k = 0; k < 3; k++) {
      step();
      await mx.evaluate(state);
    }
    expect([await first(state.total), await first(beginning)]).toEqual([4, 1]);
  });

  it("memory that another array shares", async () => {
    const state = { total: await computed(1) };
    const shaped = state.total.reshape([100, 100]);
    await mx.evaluate(shaped);
    const step = adding(state);
    for (let k = 0; k < 5; k++) await mx.evaluate(step(mx.array(1)), state);
    expect([await first(shaped), await first(state.total)]).toEqual([1, 6]);
  });

  it("memory that a typed array looks at", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    const before = state.total;
    const view = await before.view();
    for (let k = 0; k < 5; k++) await mx.evaluate(step(mx.array(1)), state);
    expect([view[0], await first(before), await first(state.total)]).toEqual([1, 1, 6]);
  });

  it("memory that is being read", async () => {
    const state = { total: await computed(1) };
    const step = adding(state);
    const read = state.total.data();
    await mx.evaluate(step(mx.array(1)), state);
    expect((await read)[0]).toBe(1);
  });
});

class Net extends nn.Module {
  first: nn.Linear = new nn.Linear(6, 8);
  second: nn.Linear = new nn.Linear(8, 3);
  forward(x: mx.MLXArray): mx.MLXArray {
    return this.second(nn.relu(this.first(x)));
  }
}

it("a training step that donates takes the same course as one that does not", async () => {
  const course = async (donate: boolean): Promise<unknown> => {
    mx.random.seed(3);
    const model = new Net();
    model.second.freeze();
    const optimizer = new optim.AdamW({ learningRate: optim.linearSchedule(0.1, 0.01, 5) });
    const [x, y] = [mx.random.normal([5, 6]), mx.random.normal([5, 3])];
    const differentiate = nn.valueAndGrad(model, (m: Net) => m(x).sub(y).square().mean());
    const step = mx.compile(
      () => {
        const [loss, gradients] = differentiate(model);
        optimizer.update(model, gradients);
        return loss;
      },
      { inputs: [model, optimizer], outputs: [model, optimizer], donate },
    );
    const losses: unknown[] = [];
    for (let k = 0; k < 8; k++) {
      const loss = step();
      await mx.evaluate(loss, model, optimizer);
      losses.push(await loss.item());
    }
    return [losses, await model.first.weight.tolist(), await optimizer.step.item()];
  };
  expect(await course(true)).toEqual(await course(false));
});
