/** What a computation will cost, before it runs: kernels, bytes, operations, and the graph as a drawing. */
import { byteLengthOf } from "../base/dtype.ts";
import { DeviceError } from "../base/errors.ts";
import { printedAs } from "../base/printing.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { Planned } from "../compiler/plan.ts";
import { planProgram } from "../compiler/plan.ts";
import { Program, pendingOrder, structureKey } from "../compiler/program.ts";
import { countWork } from "../compiler/weight.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { topologicalOrder } from "../graph/primitive.ts";
import type { Expr } from "../ir/expr.ts";
import type { Kernel, Loop } from "../ir/kernel.ts";
import { currentRuntime, openedGpu } from "./device.ts";
import { leavesOf } from "./evaluate.ts";
import type { Runtime } from "./runtime.ts";
import { passedOften } from "./runtime.ts";
// Explaining cannot wait for parts: what plans are made with must be there.
import "../backends/wasm/composites-part.ts";
import "../compiler/other-kernels-part.ts";
import "./method-meanings-part.ts";

/** One kernel of an explanation. */
export interface ExplainedKernel {
  readonly kind: Kernel["kind"];
  /** The operations it computes. */
  readonly label: string;
  /** Bytes read and written, each buffer once. */
  readonly bytes: number;
  /** Arithmetic operations, transcendental ones counted twelvefold. */
  readonly flops: number;
}

/** What `explain` returns; printing it shows a table. */
export interface Explanation {
  readonly kernels: readonly ExplainedKernel[];
  readonly bytes: number;
  readonly flops: number;
  toString(): string;
}

/**
 * The kernels that computing the given arrays (or trees of arrays) would run, with the bytes they move and the arithmetic
 * they do, what they keep besides (arrays that two evaluations computed on their way to others) included. Computes nothing.
 *
 * @example
 * const x = ones([64, 64]);
 * explain(softmax(x, -1)).kernels.length; // 1
 */
export function explain(...trees: readonly unknown[]): Explanation {
  const roots = trees.flatMap((tree) => leavesOf(tree)).filter((array) => !array.isEvaluated);
  const kept = passedOften(pendingOrder(roots), roots, 1);
  const steps = roots.length === 0 ? [] : planFor(runtimeFor(roots), [...roots, ...kept]).plan.steps;
  const kernels = steps.map(({ kernel }) => explainKernel(kernel));
  const total = (key: "bytes" | "flops"): number => kernels.reduce((sum, kernel) => sum + kernel[key], 0);
  const [bytes, flops] = [total("bytes"), total("flops")];
  const describe = (): string =>
    [
      `${counted(kernels.length, "kernel")}, ${counted(bytes, "byte")}, ${counted(flops, "operation")}`,
      ...kernels.map(
        (kernel, k) =>
          `${k + 1}. ${kernel.kind} ${kernel.label}: ${counted(kernel.bytes, "byte")}, ${counted(kernel.flops, "operation")}`,
      ),
    ].join("\n");
  return printedAs({ kernels, bytes, flops, toString: describe }, describe);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The runtime of the device that `roots` run on. @throws {DeviceError} for the GPU before it is open */
export function runtimeFor(roots: readonly MLXArray[]): Runtime {
  if (roots.every(({ device }) => device === "cpu")) return currentRuntime();
  const runtime = openedGpu();
  if (runtime) return runtime;
  throw new DeviceError("explain", "the GPU is not open yet, so nobody knows what it can do; await gpu.isAvailable()");
}

/** The plan of `roots`, with the leaves and the constants that it computes from. */
export function planFor(
  { backend, fusion }: Runtime,
  roots: readonly MLXArray[],
): Planned & { readonly inputs: readonly MLXArray[]; readonly constants: readonly MLXArray[] } {
  const inputs: MLXArray[] = [];
  const constants: MLXArray[] = [];
  structureKey(roots, inputs, constants);
  const program = new Program(roots, (call) => backend.overrides(call));
  const planned = planProgram(program, { inputs, constants }, { fusion, slotLimit: backend.slotLimit });
  return { ...planned, inputs, constants };
}

/** The cost of a kernel. */
export function explainKernel(kernel: Kernel): ExplainedKernel {
  const bytes = kernel.slots.reduce((sum, { dtype, size }) => sum + size * byteLengthOf(dtype), 0);
  return { kind: kernel.kind, label: kernel.label, bytes, flops: flopsOf(kernel) };
}

function flopsOf(kernel: Kernel): number {
  switch (kernel.kind) {
    case "loop":
      return loopFlops(kernel.root, 1, new Set());
    case "contraction": {
      const points = sizeOf([...kernel.batch, kernel.m, kernel.n].map(({ length }) => length));
      const each = kernel.stores.reduce((sum, { value }) => sum + countWork(value, [kernel.result]), 0);
      return points * (2 * kernel.k.length + each);
    }
    case "routine":
      return kernel.slots.at(-1)?.size ?? 0;
    case "composite":
      return kernel.flops;
  }
}

/** `ready` receives the reductions that are complete once the loop has ended. */
function loopFlops(loop: Loop, outer: number, ready: Set<Expr>): number {
  const points = outer * sizeOf(loop.axes.map(({ length }) => length));
  let flops = loop.children.reduce((sum, child) => sum + loopFlops(child, points, ready), 0);
  for (const reduce of loop.reduces)
    for (const operand of reduce.args) flops += points * (1 + countWork(operand, ready));
  for (const { value } of loop.stores) flops += points * countWork(value, ready);
  for (const reduce of loop.reduces) ready.add(reduce);
  return flops;
}

/**
 * The pending graph behind the given arrays in the DOT language of Graphviz: one node per operation, inputs as boxes.
 *
 * @example
 * toDot(array([1, 2]).add(1)).startsWith("digraph"); // true
 */
export function toDot(...trees: readonly unknown[]): string {
  const order = topologicalOrder(
    trees.flatMap((tree) => leavesOf(tree)),
    (array) => array.isEvaluated,
  );
  const lines = order.flatMap((array) => {
    const label = `${array.primitive.name}\\n${array.dtype} ${formatShape(array.shape)}`;
    const shape = array.isEvaluated ? "box" : "ellipse";
    return [
      `  a${array.id} [label="${label}", shape=${shape}];`,
      ...(array.isEvaluated ? [] : array.inputs.map((input) => `  a${input.id} -> a${array.id};`)),
    ];
  });
  return ["digraph {", ...lines, "}"].join("\n");
}
