/** Kernels as text. */
import { describe, expect, it } from "vitest";
import { Expressions } from "../../src/ir/expr.ts";
import type { ContractionKernel, LoopKernel } from "../../src/ir/kernel.ts";
import { printExpr, printKernel } from "../../src/ir/print.ts";

const e = new Expressions();
const [row, column, inner] = [2, 3, 4].map((length, id) => ({ id, length }));
if (!row || !column || !inner) throw new Error("three axes are needed");

describe("printExpr", () => {
  it("writes operators between operands, in parentheses where needed", () => {
    const x = e.load(0, "float32", e.axis(row));
    const c = e.argument(0, "float32");
    expect(printExpr(e.mul(e.add(x, c), e.unary("exp", e.unary("neg", x))))).toBe("(%0[i0] + c0) * exp(-%0[i0])");
    expect(printExpr(e.select(e.lt(x, c), x, e.constant(-0, "float32")))).toBe("(%0[i0] < c0) ? %0[i0] : -0");
    expect(printExpr(e.cast(e.bitcast(x, "int32"), "float64"))).toBe("float64(bits<int32>(%0[i0]))");
  });

  it("writes positions as sums", () => {
    const flat = e.ravel([e.axis(row), e.axis(column)], [2, 3]);
    expect(printExpr(e.scale(flat, 1, -2))).toBe("3*i0 + i1 - 2");
    expect(printExpr(e.floorModulo(e.scale(e.axis(column), 5), 4))).toBe("remainder(5*i0, 4)");
  });
});

describe("printKernel", () => {
  it("shows loops, shared values and finished reductions", () => {
    const at = e.ravel([e.axis(row), e.axis(column)], [2, 3]);
    const exponential = e.unary("exp", e.load(0, "float32", at));
    const total = e.reduce("sum", "float32", [column], exponential);
    const kernel: LoopKernel = {
      kind: "loop",
      label: "softmax",
      slots: [
        { dtype: "float32", size: 6, isOutput: false },
        { dtype: "float32", size: 6, isOutput: true },
      ],
      arguments: ["float32"],
      root: {
        axes: [row],
        children: [
          { axes: [column], children: [], reduces: [total], stores: [] },
          {
            axes: [column],
            children: [],
            reduces: [],
            stores: [
              {
                slot: 1,
                index: at,
                value: e.add(e.div(exponential, total), e.mul(exponential, e.argument(0, "float32"))),
              },
            ],
          },
        ],
        reduces: [],
        stores: [],
      },
    };
    expect(printKernel(kernel)).toBe(
      [
        "loop softmax",
        "  %0: float32[6]",
        "  %1 → float32[6]",
        "  c0: float32",
        "  for i0 < 2",
        "    for i1 < 3",
        "      r0: float32 = sum of exp(%0[3*i0 + i1])",
        "    for i1 < 3",
        "      t0: float32 = exp(%0[3*i0 + i1])",
        "      %1[3*i0 + i1] = (t0 / r0) + (t0 * c0)",
      ].join("\n"),
    );
  });

  it("shows both sides of a contraction and what follows it", () => {
    const [i, j, k] = [row, column, inner].map((axis) => e.axis(axis));
    if (!i || !j || !k) throw new Error("three axes are needed");
    const left = e.load(0, "float32", e.ravel([i, k], [2, 4]));
    const right = e.load(1, "float32", e.ravel([k, j], [4, 3]));
    const result = e.reduce("sum", "float32", [inner], e.mul(left, right));
    const kernel: ContractionKernel = {
      kind: "contraction",
      label: "matmul tanh",
      slots: [8, 12, 6].map((size, slot) => ({ dtype: "float32", size, isOutput: slot === 2 })),
      arguments: [],
      batch: [],
      m: row,
      n: column,
      k: inner,
      left,
      right,
      dtype: "float32",
      result,
      stores: [{ slot: 2, index: e.ravel([i, j], [2, 3]), value: e.unary("tanh", result) }],
    };
    expect(printKernel(kernel)).toBe(
      [
        "contraction matmul tanh",
        "  %0: float32[8]",
        "  %1: float32[12]",
        "  %2 → float32[6]",
        "  for i0 < 2, i1 < 3",
        "    r0: float32 = sum over i2 < 4 of",
        "      left %0[4*i0 + i2]",
        "      right %1[i1 + 3*i2]",
        "    %2[3*i0 + i1] = tanh(r0)",
      ].join("\n"),
    );
  });
});
