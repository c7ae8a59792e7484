/** Compares a loop kernel on the GPU with the interpreter. */
import { expect } from "vitest";
import type { GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import type { Tuning } from "../../src/backends/webgpu/loop-shape.ts";
import { defaultTuning } from "../../src/backends/webgpu/loop-shape.ts";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { carrierOf, isFloating } from "../../src/base/dtype.ts";
import { elementsOf, readElement } from "../../src/base/elements.ts";
import { interpret } from "../../src/ir/interpret.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";
import { Random } from "../laws/bench.ts";
import { runKernel } from "./run-kernel.ts";

function drawn(dtype: Dtype, size: number, random: Random): TypedArray {
  if (dtype === "bool")
    return elementsOf(
      dtype,
      Array.from({ length: size }, () => random.whole(0, 1)),
    );
  if (!isFloating(dtype))
    return elementsOf(
      dtype,
      Array.from({ length: size }, () => random.whole(0, 4)),
    );
  return elementsOf(
    dtype,
    Array.from({ length: size }, () => random.between(0.25, 1.5)),
  );
}

const constantOf = (dtype: Dtype): number => (isFloating(dtype) ? 1.375 : 3);

/** Runs `kernel` on elements of its own drawing, both ways; says in how many dispatches. */
export async function compare(
  kernel: LoopKernel,
  target: GpuTarget,
  tuning: Tuning = defaultTuning,
  float32 = 2e-6,
): Promise<number> {
  const random = new Random(kernel.slots.length);
  const expected = kernel.slots.map(({ dtype, size, isOutput }) =>
    isOutput ? new (carrierOf(dtype))(size) : drawn(dtype, size, random),
  );
  const actual = expected.map((elements) => elements.slice());
  const constants = kernel.arguments.map(constantOf);
  interpret(kernel, expected, constants);
  const code = emitLoops(kernel, target, tuning);
  await runKernel(code, kernel, actual, constants);
  const wrong = kernel.slots.flatMap(({ dtype, size, isOutput }, slot) => {
    const [wanted, is] = [expected[slot], actual[slot]];
    if (!isOutput || !wanted || !is) return [];
    const relative = dtype === "float16" ? 2e-3 : dtype === "bfloat16" ? 1.6e-2 : float32;
    return Array.from({ length: size }, (_, k) => k).flatMap((k) => {
      const [w, i] = [Number(readElement(wanted, k, dtype)), Number(readElement(is, k, dtype))];
      const isClose = isFloating(dtype) ? Math.abs(w - i) <= relative * Math.max(1, Math.abs(w)) : w === i;
      return isClose || Object.is(w, i) ? [] : [`%${slot}[${k}] = ${i}, not ${w}`];
    });
  });
  expect(wrong.slice(0, 8), code.dispatches.map(({ wgsl }) => wgsl).join("\n")).toEqual([]);
  return code.dispatches.length;
}
