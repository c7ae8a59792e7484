/** The errors of the vector functions, in units in the last place, over all sizes of numbers. */
import { describe, expect, it } from "vitest";
import type { FunctionBuilder } from "../../src/backends/wasm/assembler.ts";
import { compileModule } from "../../src/backends/wasm/engine-features.ts";
import { importedMath } from "../../src/backends/wasm/imported-math.ts";
import { ModuleBuilder } from "../../src/backends/wasm/module-builder.ts";
import { relaxedSimd } from "../../src/backends/wasm/relaxed-simd.ts";
import {
  float32BinaryMath,
  float32Math,
  float64Math,
  type VectorEmitter,
} from "../../src/backends/wasm/vector-math.ts";
import type { OwnBytes } from "../../src/base/elements.ts";
import { erf, erfinv } from "../../src/ir/special-functions.ts";
import { errorOf, wordsFrom } from "../setup/float-errors.ts";

const sampleCount = 1 << 17;
const pages = 32;
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
const base = 65536;
const first = new Float32Array(memory.buffer, base, sampleCount);
const firstBits = new Uint32Array(memory.buffer, base, sampleCount);
const second = new Float32Array(memory.buffer, base + 4 * sampleCount, sampleCount);
const secondBits = new Uint32Array(memory.buffer, base + 4 * sampleCount, sampleCount);
const results = new Float32Array(memory.buffer, base + 8 * sampleCount, sampleCount);

type Emit = (f: FunctionBuilder, x: number, y: number, relaxed: boolean) => number;

/** Bytes of a module whose `run` applies `emit` to `first` (and `second`), four lanes at a time. */
function moduleOf(emit: Emit, relaxed: boolean): OwnBytes {
  const module = new ModuleBuilder({ shared: false, minimumPages: pages, maximumPages: pages });
  module.addFunction("run", { params: [], results: [] }, (f) => {
    const at = f.local("i32");
    f.i32(base).set(at);
    f.loop(() => {
      const x = f.local("v128");
      const y = f.local("v128");
      f.get(at)
        .memory("v128.load")
        .set(x)
        .get(at)
        .memory("v128.load", 4 * sampleCount)
        .set(y);
      const result = emit(f, x, y, relaxed);
      f.get(at, result).memory("v128.store", 8 * sampleCount);
      f.release(result);
      f.get(at).i32(16).op("i32.add").tee(at);
      f.i32(base + 4 * sampleCount)
        .op("i32.ne")
        .brIf(0);
    });
  });
  return module.build();
}

function compile(emit: Emit, relaxed: boolean): () => void {
  const instance = new WebAssembly.Instance(compileModule(moduleOf(emit, relaxed)), {
    e: Object.assign(Object.create(Math), importedMath, { m: memory }),
  });
  const { run } = instance.exports;
  if (typeof run !== "function") throw new Error("the module exports no function");
  return () => run();
}

const unary = (name: string): Emit => {
  const emit = float32Math[name];
  if (emit === undefined) throw new Error(`no vector form of ${name}`);
  return (f, x, _y, relaxed) => emit(f, x, { relaxed });
};

const binary = (name: string): Emit => {
  const emit = float32BinaryMath[name];
  if (emit === undefined) throw new Error(`no vector form of ${name}`);
  return (f, x, y, relaxed) => emit(f, x, y, { relaxed });
};

const functions: Readonly<Record<string, (x: number, y: number) => number>> = {
  ...importedMath,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  erf,
  erfinv,
};

/** The float64 function that `name` is. */
const exactly = (name: string): ((x: number, y: number) => number) => {
  const found: unknown = functions[name] ?? Reflect.get(Math, name);
  if (typeof found !== "function") throw new Error(`no function ${name}`);
  return (x, y) => Number(Reflect.apply(found, undefined, [x, y]));
};

const targets = relaxedSimd().isRight ? [false, true] : [false];

/** Compares all of `results` with the definition; returns the largest error and where it lies. */
function largestError(exact: (x: number, y: number) => number): { error: number; at: string } {
  let worst = { error: 0, at: "" };
  for (let i = 0; i < sampleCount; i++) {
    const x = first[i] ?? 0;
    const y = second[i] ?? 0;
    const error = errorOf(results[i] ?? 0, exact(x, y));
    if (error > worst.error) worst = { error, at: `f(${x}, ${y}) = ${results[i]}, not ${exact(x, y)}` };
  }
  return worst;
}

const odd = new Set([
  "expm1",
  "log1p",
  "sin",
  "tan",
  "asin",
  "atan",
  "sinh",
  "tanh",
  "asinh",
  "atanh",
  "erf",
  "erfinv",
]);
const specials = [Number.NaN, Infinity, -Infinity, 0, -0];

/** Bounds in units in the last place, as the docstrings state them, and a range sampled densely. */
const unaryBounds: [name: string, bound: number, low: number, high: number][] = [
  ["exp", 1.1, -104, 89],
  ["expm1", 1.3, -20, 89],
  ["log", 1, 0, 4],
  ["log1p", 1.5, -1, 4],
  ["log2", 1.6, 0, 4],
  ["log10", 1.2, 0, 4],
  ["sin", 1.6, -1e4, 1e4],
  ["cos", 1.6, -1e4, 1e4],
  ["tan", 2, -1e4, 1e4],
  ["asin", 1.3, -1, 1],
  ["acos", 1.3, -1, 1],
  ["atan", 1.6, -4, 4],
  ["sinh", 1.7, -4, 4],
  ["cosh", 1.6, -4, 4],
  ["tanh", 1.5, -4, 4],
  ["asinh", 0.8, -4, 4],
  ["acosh", 0.6, 1, 4],
  ["atanh", 0.8, -1, 1],
  ["sigmoid", 2, -104, 30],
  ["erf", 1.3, -4, 4],
  ["erfinv", 2.3, -1, 1],
];

describe.each(targets)("float32 functions in vectors (relaxed: %s)", (relaxed) => {
  it("has a bound for every function", () => {
    expect(unaryBounds.map(([name]) => name).sort()).toEqual(Object.keys(float32Math).sort());
  });

  it.each(unaryBounds)("%s is within %d ulp", (name, bound, low, high) => {
    const run = compile(unary(name), relaxed);
    const exact = exactly(name);
    // every kind of float32; sizes from 2^-24 to 2^8; the stated range evenly
    const kinds: ((random: () => number, i: number) => void)[] = [
      (random, i) => {
        firstBits[i] = random();
      },
      (random, i) => {
        first[i] = 2 ** ((random() / 2 ** 32) * 32 - 24) * (random() & 64 ? -1 : 1);
      },
      (random, i) => {
        first[i] = low + (random() / 2 ** 32) * (high - low);
      },
    ];
    for (const fill of kinds) {
      const random = wordsFrom(20240229);
      for (let i = 0; i < sampleCount; i++) fill(random, i);
      run();
      const { error, at } = largestError(exact);
      expect(error, at).toBeLessThanOrEqual(bound);
    }
  });

  it.each(unaryBounds)("%s is exact at NaN, infinities and zeros", (name) => {
    first.fill(1);
    first.set(specials);
    compile(unary(name), relaxed)();
    for (const [i, x] of specials.entries()) expect(results[i], `${name}(${x})`).toBe(Math.fround(exactly(name)(x, 0)));
    if (odd.has(name)) expect(Object.is(results[4], -0)).toBe(true);
  });

  it("log is exact at 1 and log2 at powers of 2", () => {
    first.fill(1);
    for (let k = -149; k < 128; k++) first[k + 149] = 2 ** k;
    compile(unary("log"), relaxed)();
    expect(results[149]).toBe(0);
    compile(unary("log2"), relaxed)();
    for (let k = -149; k < 128; k++) expect(results[k + 149]).toBe(k);
  });

  it("a lane's sine does not depend on its neighbours", () => {
    const run = compile(unary("sin"), relaxed);
    const random = wordsFrom(7);
    for (let i = 0; i < sampleCount; i++) first[i] = (random() / 2 ** 32) * 100;
    run();
    const alone = results.slice();
    for (let i = 0; i < sampleCount; i += 4) first[i] = 1e20;
    run();
    for (let i = 0; i < sampleCount; i++) if (i % 4 !== 0 && results[i] !== alone[i]) expect(results[i]).toBe(alone[i]);
  });

  it.each([
    ["pow", 0.6],
    ["atan2", 1.8],
  ] as const)("%s is within %d ulp", (name, bound) => {
    const run = compile(binary(name), relaxed);
    const exact = exactly(name);
    const fills: ((random: () => number, i: number) => void)[] = [
      (random, i) => {
        firstBits[i] = random();
        secondBits[i] = random();
      },
      (random, i) => {
        first[i] = (random() / 2 ** 32) * 20 - 10;
        second[i] = (random() / 2 ** 32) * 20 - 10;
      },
      (random, i) => {
        first[i] = (random() / 2 ** 32) * 20 - 10;
        second[i] = ((random() >>> 8) % 41) - 20;
      },
      (random, i) => {
        first[i] = 1 + (random() / 2 ** 32 - 0.5) / 8;
        second[i] = (random() / 2 ** 32 - 0.5) * 3000;
      },
    ];
    for (const fill of fills) {
      const random = wordsFrom(1729);
      for (let i = 0; i < sampleCount; i++) fill(random, i);
      run();
      const { error, at } = largestError(exact);
      expect(error, at).toBeLessThanOrEqual(bound);
    }
  });

  it.each(["pow", "atan2"])("%s has C99's special values", (name) => {
    const values = [0, 1, 0.5, 2, 3, 2.5, 16777215, 16777216, 3e38, 1e-45, Infinity].flatMap((x) => [x, -x]);
    values.push(Number.NaN);
    first.fill(1);
    second.fill(1);
    for (const [i, x] of values.entries()) {
      for (const [j, y] of values.entries()) {
        first[i * values.length + j] = x;
        second[i * values.length + j] = y;
      }
    }
    compile(binary(name), relaxed)();
    for (let i = 0; i < values.length ** 2; i++) {
      const x = first[i] ?? 0;
      const y = second[i] ?? 0;
      const exact = exactly(name)(x, y);
      const message = `${name}(${x}, ${y})`;
      if (exact === 0 || Math.abs(exact) === Infinity) expect(results[i], message).toBe(exact);
      else expect(errorOf(results[i] ?? 0, exact), message).toBeLessThanOrEqual(2);
    }
  });
});

describe("vector emitters", () => {
  it.each(Object.keys(float32Math))("%s gives its locals back", (name) => {
    const module = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
    module.addFunction("f", { params: ["v128"], results: [] }, (f) => {
      const emitOnce = (): void => f.release(unary(name)(f, 0, 0, false));
      emitOnce();
      const taken = Array.from({ length: 200 }, () => f.local("v128"));
      for (const local of taken) f.release(local);
      const highest = Math.max(...taken);
      for (let i = 0; i < 20; i++) emitOnce();
      const after = Array.from({ length: 200 }, () => f.local("v128"));
      expect(Math.max(...after)).toBe(highest);
    });
    expect(WebAssembly.validate(module.build())).toBe(true);
  });
});

// Computed with mpmath 1.4 at 60 digits.
const erfValues: [x: number, value: number][] = [
  [1e-300, 1.1283791670955126e-300],
  [1e-8, 1.1283791670955126e-8],
  [0.1, 0.1124629160182849],
  [0.46875, 0.49261347321793797],
  [0.47, 0.4937450508860821],
  [0.5, 0.5204998778130465],
  [1.0, 0.8427007929497149],
  [2.0, 0.9953222650189527],
  [3.5, 0.9999992569016276],
  [4.0, 0.9999999845827421],
  [4.5, 0.9999999998033839],
  [5.5, 0.9999999999999927],
  [10.0, 1.0],
];
const erfinvValues: [x: number, value: number][] = [
  [1e-300, 8.86226925452758e-301],
  [1e-8, 8.86226925452758e-9],
  [0.1, 0.08885599049425769],
  [0.5, 0.4769362762044699],
  [0.75, 0.8134198475976185],
  [0.9, 1.1630871536766743],
  [0.99, 1.8213863677184494],
  [0.999999, 3.458910737275499],
  [0.999999999999, 5.042031898572696],
  [0.9999999999999999, 5.8635847487551676],
];

/** `emit` of one float64. */
function wideFunction(emit: VectorEmitter | undefined, relaxed: boolean): (x: number) => number {
  const run = compile((f, x) => emit?.(f, x, { relaxed }) ?? x, relaxed);
  const [operands, values] = [first, results].map((part) => new Float64Array(memory.buffer, part.byteOffset, 4));
  return (x) => {
    operands?.set([0.25, x]);
    run();
    return values?.[1] ?? 0;
  };
}

describe.each(targets)("float64 functions in vectors (relaxed: %s)", (relaxed) => {
  it.each(erfValues)("erf(%d) is %d", (x, value) => {
    const apply = wideFunction(float64Math.erf, relaxed);
    expect(Math.abs(apply(x) / value - 1)).toBeLessThan(5e-16);
    expect(apply(-x)).toBe(-apply(x));
  });

  it.each(erfinvValues)("erfinv(%d) is %d", (x, value) => {
    const apply = wideFunction(float64Math.erfinv, relaxed);
    expect(Math.abs(apply(x) / value - 1)).toBeLessThan(1e-15);
    expect(apply(-x)).toBe(-apply(x));
  });

  it("erf and erfinv have their special values", () => {
    const apply = wideFunction(float64Math.erf, relaxed);
    for (const [x, value] of [
      [Infinity, 1],
      [-Infinity, -1],
      [Number.NaN, Number.NaN],
      [0, 0],
      [-0, -0],
      [1e300, 1],
      [5e-324, 5e-324],
    ] as const)
      expect(apply(x), `erf(${x})`).toBe(value);
    const inverse = wideFunction(float64Math.erfinv, relaxed);
    for (const [x, value] of [
      [1, Infinity],
      [-1, -Infinity],
      [1.5, Number.NaN],
      [-Infinity, Number.NaN],
      [Number.NaN, Number.NaN],
      [0, 0],
      [-0, -0],
    ] as const)
      expect(inverse(x), `erfinv(${x})`).toBe(value);
  });

  it("sigmoid is exact to the last digits and at the ends", () => {
    const apply = wideFunction(float64Math.sigmoid, relaxed);
    for (const x of [-700, -30, -1, -0.1, 0, 0.1, 1, 30]) {
      expect(Math.abs(apply(x) / exactly("sigmoid")(x, 0) - 1)).toBeLessThan(1e-15);
    }
    expect([Infinity, -Infinity, Number.NaN].map(apply)).toEqual([1, 0, Number.NaN]);
  });
});

describe("imported functions", () => {
  it("pow has C99's special values where JavaScript differs", () => {
    expect(importedMath.pow(1, Number.NaN)).toBe(1);
    expect(importedMath.pow(-1, Infinity)).toBe(1);
    expect(importedMath.pow(-1, -Infinity)).toBe(1);
    expect(importedMath.pow(-1, Number.NaN)).toBeNaN();
    expect(importedMath.pow(-8, 1 / 3)).toBeNaN();
  });

  it("the remainder has the divisor's sign", () => {
    expect(importedMath.remainder(7, 3)).toBe(1);
    expect(importedMath.remainder(-7, 3)).toBe(2);
    expect(importedMath.remainder(7, -3)).toBe(-2);
    expect(importedMath.remainder(-7, -3)).toBe(-1);
    expect(importedMath.remainder(5, 0)).toBeNaN();
  });
});
