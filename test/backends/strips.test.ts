/** Loops with several expensive functions run in passes over strips: same bits as one kernel for each function. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { stripsFor } from "../../src/backends/wasm/strips.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { type Expr, Expressions } from "../../src/ir/expr.ts";
import { underRuntime } from "../setup/wasm-runtimes.ts";

const backend = (threads: number): WasmBackend =>
  new WasmBackend({ threads, arena: new Arena({ maximumByteLength: 2 ** 28 }) });
const [one, two] = [backend(1), backend(2)];
const runtimes = {
  apart: new Runtime(one, { fusion: false }),
  together: new Runtime(one, { fusion: true }),
  threads: new Runtime(two, { fusion: true }),
};

afterAll(() => Promise.all([one.pool.close(), two.pool.close()]));

/** What the function gives of x = sin(0), sin(1), …, in a way of running. */
function bitsOf(
  way: keyof typeof runtimes,
  shape: readonly number[],
  fn: (x: mx.MLXArray) => readonly mx.MLXArray[],
): Promise<readonly Uint32Array[]> {
  return underRuntime(runtimes[way], async () => {
    const size = shape.reduce((product, length) => product * length, 1);
    const x = mx.fromTypedArray(Float32Array.from({ length: size }, (_, k) => Math.sin(k) * 3)).reshape(shape);
    const results = fn(x);
    await mx.evaluate(...results);
    const values = await Promise.all(results.map((result) => result.data()));
    return values.map(
      ({ buffer, byteOffset, byteLength }) => new Uint32Array(buffer.slice(byteOffset, byteOffset + byteLength)),
    );
  });
}

const chain = (x: mx.MLXArray): mx.MLXArray => mx.sqrt(mx.sin(mx.log(mx.exp(mx.tanh(x)).add(1))).add(2));

const cases: Readonly<Record<string, (x: mx.MLXArray) => readonly mx.MLXArray[]>> = {
  "a chain": (x) => [chain(x)],
  "a value that two passes need": (x) => {
    const scaled = x.mul(x).add(0.5).mul(0.25);
    return [mx.exp(mx.cos(scaled)).mul(scaled)];
  },
  "several outputs, one of them early": (x) => [
    mx.exp(x),
    mx.sin(mx.exp(x)),
    mx.where(x.greater(0), mx.tanh(x), mx.erf(x)),
  ],
  "half-precision input": (x) => [mx.sin(mx.exp(x.asType("float16").asType("float32")))],
  "twenty values kept at once": (x) => {
    const values = Array.from({ length: 20 }, (_, k) => mx.sin(x.mul(k + 1)));
    return [values.reduce((sum, value) => sum.add(value))];
  },
};

describe("passes over strips", () => {
  for (const [name, fn] of Object.entries(cases)) {
    for (const shape of [[63], [64], [1027], [3, 700], [40_000]]) {
      it(`${name}, [${shape}]: the bits of one kernel for each function, on any number of threads`, async () => {
        const apart = await bitsOf("apart", shape, fn);
        expect(await bitsOf("together", shape, fn)).toEqual(apart);
        expect(await bitsOf("threads", shape, fn)).toEqual(apart);
      });
    }
  }

  it("sums what the last pass computes, the same on any number of threads", async () => {
    const fn = (x: mx.MLXArray): readonly mx.MLXArray[] => [chain(x).sum(), chain(x).sum(0), chain(x).max(-1)];
    expect(await bitsOf("threads", [300, 700], fn)).toEqual(await bitsOf("together", [300, 700], fn));
  });
});

describe("stripsFor", () => {
  const e = new Expressions();
  const x = e.load(0, "float32", e.axis({ id: 0, length: 1000 }));
  const always = (): boolean => true;
  const names = (list: readonly { readonly expr: Expr; readonly strip: number }[]): readonly string[] =>
    list.map(({ expr, strip }) => `${expr.op} ${strip}`);

  it("leaves a loop with one expensive function, or a short one, as it is", () => {
    expect(stripsFor([e.unary("exp", x)], always, 1000)).toBeNull();
    expect(stripsFor([e.unary("exp", e.unary("sin", x))], always, 63)).toBeNull();
  });

  it("gives each expensive function a pass, and a strip read for the last time to the next value", () => {
    const strips = stripsFor([e.unary("log", e.unary("exp", e.unary("sin", x)))], always, 1000);
    expect(strips?.passes.map(({ takes, leaves }) => [names(takes), names(leaves)])).toEqual([
      [[], ["sin 0"]],
      [["sin 0"], ["exp 0"]],
      [["exp 0"], []],
    ]);
  });

  it("shortens strips when many are kept", () => {
    const functions = Array.from({ length: 40 }, (_, k) =>
      e.unary("sin", e.binary("add", x, e.constant(k, "float32"))),
    );
    const strips = stripsFor([functions.reduce((a, b) => e.binary("add", a, b))], always, 1000);
    expect(strips?.length).toBe(192);
  });
});
