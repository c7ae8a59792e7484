/** Compares generated code with the interpreter, for a device with nothing but the floor and for the one at hand. */
import { expect } from "vitest";
import type { GpuKernelCode, GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { carrierOf, isFloating } from "../../src/base/dtype.ts";
import { readElement, writeElement } from "../../src/base/elements.ts";
import type { ScalarValue } from "../../src/ir/expr.ts";
import { interpret } from "../../src/ir/interpret.ts";
import "../../src/primitives/routines-part.ts";
import type { Kernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { runKernel } from "./run-kernel.ts";

/** The floor, and what the test device offers. */
export async function testTargets(): Promise<readonly GpuTarget[]> {
  return [floorTarget, (await testDevice()).target];
}

/** How a comparison departs from the usual. */
export interface Comparison {
  /** The greatest error of floats, relative to the greatest result. */
  readonly tolerance?: number;
  /** Contents of input slots; drawn where there are none. */
  readonly inputs?: ReadonlyMap<number, TypedArray>;
  readonly targets?: readonly GpuTarget[];
}

/** `count` elements between -1 and 1, or small integers. */
export function drawn(dtype: Dtype, count: number, seed = 1): TypedArray {
  const elements = new (carrierOf(dtype))(count);
  let state = seed * 7919 + 12345;
  for (let k = 0; k < count; k++) {
    state = (state * 48271) % 2147483647;
    const unit = state / 2147483647;
    const value = isFloating(dtype) ? 2 * unit - 1 : dtype === "bool" ? unit > 0.5 : Math.floor(unit * 7);
    writeElement(elements, k, dtype, value);
  }
  return elements;
}

/** Runs `kernel` both ways on equal inputs and compares all outputs. */
export async function compareKernel(
  kernel: Kernel,
  emit: (kernel: Kernel, target: GpuTarget) => GpuKernelCode,
  { tolerance = 1e-5, inputs = new Map(), targets }: Comparison = {},
): Promise<void> {
  const made = kernel.slots.map(({ dtype, size, isOutput }, slot) =>
    isOutput ? new (carrierOf(dtype))(size) : (inputs.get(slot) ?? drawn(dtype, size, slot + 1)),
  );
  const constants: ScalarValue[] = kernel.arguments.map((dtype, k) => (isFloating(dtype) ? 0.75 + k / 2 : 2 + k));
  const expected = made.map((elements) => elements.slice());
  interpret(kernel, expected, constants);
  for (const target of targets ?? (await testTargets())) {
    const actual = made.map((elements) => elements.slice());
    await runKernel(emit(kernel, target), kernel, actual, constants);
    kernel.slots.forEach(({ dtype, isOutput }, slot) => {
      const [wanted, is] = [expected[slot], actual[slot]];
      if (isOutput && wanted && is) expect(differences(wanted, is, dtype, tolerance)).toEqual([]);
    });
  }
}

/** The first elements that differ by more than is allowed. */
export function differences(wanted: TypedArray, is: TypedArray, dtype: Dtype, tolerance: number): string[] {
  const numbers = (elements: TypedArray): number[] =>
    Array.from({ length: elements.length }, (_, k) => Number(readElement(elements, k, dtype)));
  const [expected, actual] = [numbers(wanted), numbers(is)];
  const scale = expected.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  const unit = dtype === "float16" ? 2 ** -10 : dtype === "bfloat16" ? 2 ** -7 : 0;
  const limit = isFloating(dtype) ? scale * Math.max(tolerance, unit) : 0;
  return expected
    .flatMap((x, k) => {
      const y = actual[k] ?? Number.NaN;
      const isEqual = Object.is(x, y) || x === y || Math.abs(x - y) <= limit;
      return isEqual ? [] : [`[${k}] = ${y}, not ${x}`];
    })
    .slice(0, 8);
}
