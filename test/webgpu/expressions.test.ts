/** Every instruction on every dtype that the GPU computes, special values included, for one element and for vectors of four. */
import { describe, expect, it } from "vitest";
import type { GpuKernelCode, GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import { WgslEmitter } from "../../src/backends/webgpu/wgsl-expression.ts";
import { ShaderMemory } from "../../src/backends/webgpu/wgsl-memory.ts";
import { Shader } from "../../src/backends/webgpu/wgsl-shader.ts";
import { registerOf } from "../../src/backends/webgpu/wgsl-types.ts";
import type { Dtype } from "../../src/base/dtype.ts";
import { carrierOf, dtypes, isFloating, isHalf, kindOf } from "../../src/base/dtype.ts";
import { elementsOf, readElement } from "../../src/base/elements.ts";
import { DtypeError } from "../../src/base/errors.ts";
import { halfToNumber } from "../../src/base/half.ts";
import type { Axis, Expr } from "../../src/ir/expr.ts";
import { Expressions } from "../../src/ir/expr.ts";
import type { BinaryOp, UnaryOp } from "../../src/ir/instruction.ts";
import { binaryOps, compareOps, unaryOps } from "../../src/ir/instruction.ts";
import { interpret } from "../../src/ir/interpret.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";
import { unitOf } from "../setup/float-errors.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { elementwiseKernel } from "./elementwise-kernel.ts";
import { runKernel } from "./run-kernel.ts";

const gpuDtypes = dtypes.filter((dtype) => dtype !== "int64" && dtype !== "uint64" && dtype !== "float64");

/** Units in the last place by which a float32 result may differ; 1 otherwise. */
const ulps: Readonly<Record<string, number>> = {
  acos: 3,
  asin: 3,
  atan2: 3,
  atan: 3,
  cosh: 3,
  erf: 4,
  erfinv: 4,
  expm1: 3,
  sigmoid: 4,
  sinh: 3,
  tan: 4,
  tanh: 3,
};

const floats = [0, -0, 1, -1, 0.5, -0.5, 2, 3, -3, 1.5, -2.5, 1e-7, 1e4, -1e4, 88, -88, 89, 1e30, -1e30];
const specialFloats = [...floats, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const integers = [0, 1, -1, 2, 3, -3, 7, -7, 31, 100, 127, -128, 255, 32767, -32768, 65535, 2147483647, -2147483648];

/** All pairs of special values, then random ones. */
function operands(dtype: Dtype): readonly [readonly number[], readonly number[]] {
  const base =
    dtype === "bool"
      ? [0, 1]
      : isFloating(dtype)
        ? specialFloats
        : integers.filter((value) => kindOf(dtype) === "signed" || value >= 0);
  let state = 12345;
  const next = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const drawn = Array.from({ length: 400 }, () => {
    if (dtype === "bool") return Math.round(next());
    if (!isFloating(dtype)) return Math.floor((next() - (kindOf(dtype) === "signed" ? 0.5 : 0)) * 120);
    return (next() - 0.5) * 2 ** Math.round(next() * 8 - 3);
  });
  return [
    [...base.flatMap((a) => base.map(() => a)), ...drawn],
    [...base.flatMap(() => base), ...drawn.toReversed()],
  ];
}

/** Code for an elementwise kernel with one thread for one element or four. */
async function codeOf(kernel: LoopKernel, lanes: 1 | 4, given?: GpuTarget): Promise<GpuKernelCode> {
  const target = given ?? (await testDevice()).target;
  const shader = new Shader();
  const memory = new ShaderMemory(shader, kernel, target);
  const em = new WgslEmitter(shader, memory);
  const e = new Expressions();
  const [axis] = kernel.root.axes;
  if (!axis) throw new Error("the kernel has an axis");
  const step: Axis = { id: 1, length: Math.ceil(axis.length / lanes) };
  const lane: Axis = { id: 2, length: 4 };
  const memo = new Map<Expr, Expr>();
  const spelled =
    lanes === 4
      ? new Map([[axis.id, e.add(e.scale(e.axis(step), 4), e.axis(lane))]])
      : new Map([[axis.id, e.axis(step)]]);
  em.bindAxis(step, shader.let("i", "i32(workgroup.x * 64u + thread)"));
  em.block(`if (i0 < ${step.length})`, () => {
    em.withLanes(lanes === 4 ? lane : null, () => {
      for (const { slot, index, value } of kernel.root.stores)
        em.store(slot, e.substitute(index, spelled, memo), e.substitute(value, spelled, memo));
    });
  });
  const bindings = memory.bindings();
  const workgroups = [Math.ceil(step.length / 64), 1, 1] as const;
  return { dispatches: [{ wgsl: shader.build(64), bindings, workgroups }], scratchBytes: [] };
}

function isClose(is: number, wanted: number, dtype: Dtype, limit: number): boolean {
  if (is === wanted || (Number.isNaN(is) && Number.isNaN(wanted))) return true;
  if (!isFloating(dtype)) return false;
  // A GPU may take numbers below the normal ones for 0.
  if (is === 0 && Math.abs(wanted) < 2 ** -126) return true;
  return Math.abs(is - wanted) <= limit * unitOf(wanted, dtype);
}

/** Compares the kernel's outputs with the interpreter's; names say which is which. */
async function compare(kernel: LoopKernel, names: readonly string[], lanes: 1 | 4): Promise<void> {
  const [{ dtype: source } = { dtype: "float32" as const }] = kernel.slots;
  const inputs = operands(source).map((values) => elementsOf(source, values));
  const outputs = (): ReturnType<typeof elementsOf>[] =>
    kernel.slots.slice(2).map(({ dtype, size }) => new (carrierOf(dtype))(size));
  const expected = [...inputs, ...outputs()];
  const actual = [...inputs, ...outputs()];
  interpret(kernel, expected, []);
  await runKernel(await codeOf(kernel, lanes), kernel, actual);
  const wrong = names.flatMap((name, k) => {
    const { dtype } = kernel.slots[k + 2] ?? { dtype: source };
    const [wanted, is] = [expected[k + 2], actual[k + 2]];
    if (!wanted || !is) return [];
    return Array.from({ length: wanted.length }, (_, p) => p).flatMap((p) => {
      const [w, i] = [Number(readElement(wanted, p, dtype)), Number(readElement(is, p, dtype))];
      if (isClose(i, w, dtype, ulps[name] ?? 1)) return [];
      const at = inputs.map((list) => Number(readElement(list, p, source)));
      return [`${name}(${at.join(", ")}) = ${i}, not ${w}`];
    });
  });
  expect(wrong.slice(0, 12).join("; ")).toBe("");
}

const size = (dtype: Dtype): number => operands(dtype)[0].length;

/** Instructions that a dtype has. */
function unaryOf(dtype: Dtype): readonly UnaryOp[] {
  // The functions of half floats are those of float32.
  if (isHalf(dtype)) return ["neg", "abs", "sqrt", "exp", "log", "round"];
  if (isFloating(dtype)) return unaryOps.filter((op) => op !== "not");
  return ["neg", "abs", "floor", "ceil", "round", "trunc", "not"];
}

function binaryOf(dtype: Dtype): readonly BinaryOp[] {
  const bits: readonly BinaryOp[] = ["and", "or", "xor", "shl", "shr"];
  if (!isFloating(dtype)) return binaryOps.filter((op) => op !== "atan2");
  const crossing: readonly BinaryOp[] = isHalf(dtype) ? ["quotient"] : [];
  return binaryOps.filter((op) => !bits.includes(op) && !crossing.includes(op));
}

describe.each([1, 4] as const)("in %i lanes", (lanes) => {
  const dtypesHere = lanes === 4 ? gpuDtypes : (["float32", "float16", "int8", "uint32", "bool"] as const);

  it.each(dtypesHere)("unary instructions on %s", async (dtype) => {
    const ops = unaryOf(dtype);
    for (let first = 0; first < ops.length; first += 6) {
      const some = ops.slice(first, first + 6);
      await compare(
        elementwiseKernel(size(dtype), dtype, (e, a) => some.map((op) => e.unary(op, a))),
        some,
        lanes,
      );
    }
  });

  it.each(dtypesHere)("binary instructions and comparisons on %s", async (dtype) => {
    const ops = binaryOf(dtype);
    for (let first = 0; first < ops.length; first += 6) {
      const some = ops.slice(first, first + 6);
      await compare(
        elementwiseKernel(size(dtype), dtype, (e, a, b) => some.map((op) => e.binary(op, a, b))),
        some,
        lanes,
      );
    }
    await compare(
      elementwiseKernel(size(dtype), dtype, (e, a, b) => [
        ...compareOps.map((op) => e.compare(op, a, b)),
        e.ne(a, a),
        e.select(e.lt(a, b), a, b),
      ]),
      [...compareOps, "isNaN", "select"],
      lanes,
    );
  });

  it.each(dtypesHere)("conversions of %s", async (dtype) => {
    const targets = gpuDtypes.filter((target) => target !== dtype);
    for (let first = 0; first < targets.length; first += 5) {
      const some = targets.slice(first, first + 5);
      await compare(
        elementwiseKernel(size(dtype), dtype, (e, a) => some.map((target) => e.cast(a, target))),
        some.map((target) => `to ${target}`),
        lanes,
      );
    }
  });
});

it.each(["int32", "uint32"] as const)("%s becomes the nearest float32, the even one of two", async (dtype) => {
  const values = new (carrierOf(dtype))(65_536);
  let state = 77;
  for (let k = 0; k < values.length; k++) {
    state = (state * 48271) % 2147483647;
    const drawn = (state * 2 + (k & 1)) >>> (k % 9);
    // Halfway between two neighbours of 24 bits, or anywhere.
    values[k] = k % 3 === 0 ? ((drawn | 0x80000000) & 0xffffff00) + 0x80 : drawn;
  }
  const kernel = elementwiseKernel(values.length, dtype, (e, a) => [e.cast(a, "float32")]);
  for (const target of [floorTarget, (await testDevice()).target]) {
    const actual = [values.slice(), values.slice(), new Float32Array(values.length)];
    await runKernel(await codeOf(kernel, 4, target), kernel, actual);
    const wrong = Array.from(values, Number).filter((value, k) => actual[2]?.[k] !== Math.fround(value));
    expect(wrong).toEqual([]);
  }
});

describe("16-bit floats", () => {
  it.each(["float16", "bfloat16"] as const)("every %s is read and written as it is", async (dtype) => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, k) => k);
    const kernel = elementwiseKernel(65_536, dtype, (e, a, b) => [e.cast(a, "float32"), e.unary("neg", b)]);
    const expected = [bits, bits, new Float32Array(65_536), new Uint16Array(65_536)];
    const actual = expected.map((elements) => elements.slice());
    interpret(kernel, expected, []);
    await runKernel(await codeOf(kernel, 4), kernel, actual);
    const same = (a: number, b: number): boolean => Object.is(a, b) || (a === 0 && Math.abs(b) < 2 ** -126);
    const wrong = Array.from(bits).filter((k) => !same(actual[2]?.[k] ?? 0, expected[2]?.[k] ?? 0));
    expect(wrong).toEqual([]);
    const changed = Array.from(bits).filter((k) => {
      const [is, wanted] = [actual[3], expected[3]].map((halves) => halfToNumber(Number(halves?.[k]), dtype));
      return !same(is ?? 0, wanted ?? 0);
    });
    expect(changed).toEqual([]);
  });

  it.each(["float16", "bfloat16"] as const)("a float32 becomes the nearest %s, the even one of two", async (dtype) => {
    let state = 99;
    const values = Float32Array.from({ length: 65_536 }, (_, k) => {
      state = (state * 48271) % 2147483647;
      const half = halfToNumber(k & 0x7bff, dtype);
      // Halfway between two neighbours, a little beside it, or anywhere.
      const next = halfToNumber((k & 0x7bff) + 1, dtype);
      const middle = (half + next) / 2;
      return k % 3 === 0 ? middle : k % 3 === 1 ? middle * (1 + 2 ** -20) : half + (next - half) * (state / 2147483647);
    });
    const kernel = elementwiseKernel(65_536, "float32", (e, a) => [e.cast(a, dtype)]);
    const expected = [values, values, new Uint16Array(65_536)];
    const actual = expected.map((elements) => elements.slice());
    interpret(kernel, expected, []);
    await runKernel(await codeOf(kernel, 4), kernel, actual);
    const wrong = Array.from(values).filter((value, k) => {
      return actual[2]?.[k] !== expected[2]?.[k] && Math.abs(value) >= 2 ** -125;
    });
    expect(wrong).toEqual([]);
  });
});

it("types of 64 bits are refused with the way out", () => {
  for (const dtype of ["int64", "uint64", "float64"] as const) {
    expect(() => registerOf(dtype)).toThrow(DtypeError);
    expect(() => registerOf(dtype)).toThrow(/asType/);
  }
});
