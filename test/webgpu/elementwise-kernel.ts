/** Kernels written as expressions of the elements of two inputs. */
import type { Dtype } from "../../src/base/dtype.ts";
import type { Axis, Expr } from "../../src/ir/expr.ts";
import { Expressions } from "../../src/ir/expr.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";

/** A kernel that writes what `build` makes of the elements of two inputs at the same place, one result per slot. */
export function elementwiseKernel(
  size: number,
  source: Dtype,
  build: (e: Expressions, a: Expr, b: Expr, index: Expr) => readonly Expr[],
): LoopKernel {
  const e = new Expressions();
  const axis: Axis = { id: 0, length: size };
  const index = e.axis(axis);
  const values = build(e, e.load(0, source, index), e.load(1, source, index), index);
  return {
    kind: "loop",
    label: "test",
    arguments: [],
    slots: [
      { dtype: source, size, isOutput: false },
      { dtype: source, size, isOutput: false },
      ...values.map(({ dtype }) => ({ dtype: dtype === "index" ? ("int32" as const) : dtype, size, isOutput: true })),
    ],
    root: {
      axes: [axis],
      children: [],
      reduces: [],
      stores: values.map((value, k) => ({ slot: k + 2, index, value })),
    },
  };
}
