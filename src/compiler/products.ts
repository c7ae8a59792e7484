/** Products in plans: their kernels, and what is worth storing before they pack it. */
import type { Dtype } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Axis, Expr } from "../ir/expr.ts";
import { argOf, Expressions, isConstant } from "../ir/expr.ts";
import type { ContractionKernel, LoopKernel, Store } from "../ir/kernel.ts";
import type { GroupSpec, Lowered } from "./lower.ts";
import { VertexLowering } from "./lower.ts";
import type { Program } from "./program.ts";
import { weightOf } from "./weight.ts";

/** The contraction kernel of a group, or null if its results are not read in row-major order of the core. */
export function lowerContraction(
  program: Program,
  group: GroupSpec & { readonly core: MLXArray },
  isStored: (vertex: MLXArray) => boolean,
): Lowered<ContractionKernel> | null {
  const { core } = group;
  const lowering = new VertexLowering(program, group, isStored);
  const { e } = lowering;
  const [left, right] = program.inputsOf(core);
  const rank = core.shape.length;
  if (!left || !right || rank < 2) throw new MLXError(core.primitive.name, "is no contraction of two operands");
  const batch = core.shape.slice(0, -2).map((length) => lowering.newAxis(length));
  const m = lowering.newAxis(core.shape[rank - 2] ?? 1);
  const n = lowering.newAxis(core.shape[rank - 1] ?? 1);
  const k = lowering.newAxis(left.shape[rank - 1] ?? 1);
  const at = (...axes: readonly Axis[]): Expr[] => [...batch, ...axes].map((axis) => e.axis(axis));
  const leftExpr = lowering.value(left, at(m, k));
  const rightExpr = lowering.value(right, at(k, n));
  const dtype: Dtype = core.dtype === "float16" || core.dtype === "bfloat16" ? "float32" : core.dtype;
  const product = e.mul(e.cast(leftExpr, dtype), e.cast(rightExpr, dtype));
  const sum = e.reduce("sum", dtype, [k], product);
  const position = at(m, n);
  lowering.bindCore(core, position, e.cast(sum, core.dtype));
  const flat = e.ravel(position, core.shape);
  const stores: Store[] = [];
  for (const output of group.outputs) {
    const index = sameShape(core.shape, output.shape) ? position : e.unravel(flat, output.shape);
    stores.push({ slot: lowering.slotOf(output, true), index: flat, value: lowering.compute(output, index) });
  }
  if (lowering.misreadCore || lowering.hasReductions) return null;
  return lowering.finish({
    kind: "contraction",
    batch,
    m,
    n,
    k,
    left: leftExpr,
    right: rightExpr,
    dtype,
    result: sum,
    stores,
  });
}

/** Elements of a line below which asking of each line whether it is padding costs more than a padded copy. */
const leastLine = 8;

/**
 * Whether `vertex` sets lines of its input, the elements along the last axis, among zeros: what packs them line by line
 * need not have the result stored.
 */
export function padsLines(vertex: MLXArray, inputsOf: (vertex: MLXArray) => readonly MLXArray[]): boolean {
  const { lowering } = vertex.primitive;
  const inputs = inputsOf(vertex);
  if (lowering.kind !== "map" || inputs.length < 2 || (vertex.shape.at(-1) ?? 1) < leastLine) return false;
  const e = new Expressions();
  const index = vertex.shape.map((length, id) => e.axis({ id, length }));
  const line = e.load(0, vertex.dtype, index.at(-1) ?? e.index(0));
  const read = (k: number, at: readonly Expr[]): Expr => {
    const input = inputs[k] ?? vertex;
    if (isZero(input, inputsOf)) return e.constant(0, input.dtype);
    // Loads of one slot are one expression wherever they have one place: inputs of another dtype need slots of their own.
    return e.load(input.dtype === vertex.dtype ? 0 : k + 1, input.dtype, at.at(-1) ?? e.index(0));
  };
  const { op, args } = lowering.element({ e, index, params: vertex.params, inputs, output: vertex, read });
  const [condition, inside, outside] = args;
  const isPadding = op === "select" && inside === line && outside !== undefined && isConstant(outside, 0);
  return isPadding && condition !== undefined && !isPartOf(argOf(line, 0), condition);
}

function isZero(vertex: MLXArray, inputsOf: (vertex: MLXArray) => readonly MLXArray[]): boolean {
  const { lowering } = vertex.primitive;
  if (lowering.kind === "constant") return lowering.value(vertex.params) === 0;
  const [only, ...others] = vertex.allocation ? [] : inputsOf(vertex);
  return only !== undefined && others.length === 0 && weightOf(vertex, [only]) === 0 && isZero(only, inputsOf);
}

function isPartOf(part: Expr, whole: Expr): boolean {
  return part === whole || whole.args.some((arg) => isPartOf(part, arg));
}

/** A contraction as a plain loop nest, for those that a backend has no better code for; loops as they are. */
export function asLoops(kernel: LoopKernel | ContractionKernel): LoopKernel {
  if (kernel.kind === "loop") return kernel;
  const { slots, label, batch, m, n, stores, result } = kernel;
  if (result.op !== "reduce") throw new MLXError("codegen", "a contraction must end in a sum");
  const axes = [...batch, m, n].filter(({ length }) => length !== 1);
  const sum = { axes: result.axes.filter(({ length }) => length !== 1), children: [], reduces: [result], stores: [] };
  return {
    kind: "loop",
    slots,
    arguments: kernel.arguments,
    label,
    root: { axes, children: [sum], reduces: [], stores },
  };
}
