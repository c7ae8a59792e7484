/** Kernels that are one operation as a whole: routines, and composites that a backend computes itself. */
import { remembered } from "../base/remembered.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { CompositeKernel, RoutineKernel } from "../ir/kernel.ts";
import type { Group } from "./fuse.ts";
import type { Lowered } from "./lower.ts";
import type { Program } from "./program.ts";
import { tensorCall } from "./program.ts";

/** The kernels of vertices that fuse with nothing. Results of one composite share theirs, for which the first of them stands. */
export function lowerWhole(program: Program, vertices: readonly MLXArray[]): Group[] {
  const wholes = new Map<string, MLXArray[]>();
  for (const vertex of vertices) remembered(wholes, wholeKey(program, vertex), () => []).push(vertex);
  return [...wholes.values()].map(([vertex, ...others]) => {
    if (!vertex) throw new RangeError("no vertex");
    const isComposite = vertex.primitive.lowering.kind === "composite";
    const lowered = isComposite ? lowerComposite(program, [vertex, ...others]) : lowerRoutine(program, vertex);
    return { vertex, lowered };
  });
}

/** Text that results of one composite have in common, and no other vertices. */
function wholeKey(program: Program, vertex: MLXArray): string {
  const whole = resultOf(vertex)?.whole;
  if (whole === undefined) return `${vertex.id}`;
  return `${vertex.primitive.name} ${whole} of ${program.inputsOf(vertex).map(({ id }) => id)}`;
}

function resultOf({
  primitive: { lowering },
  params,
}: MLXArray): { readonly whole: string; readonly part: number } | undefined {
  return lowering.kind === "composite" ? lowering.result?.(params) : undefined;
}

function lowerComposite(program: Program, vertices: readonly [MLXArray, ...MLXArray[]]): Lowered<CompositeKernel> {
  const [vertex] = vertices;
  const inputs = program.inputsOf(vertex);
  const { lowering, name } = vertex.primitive;
  const call = tensorCall(vertex);
  const flops = lowering.kind === "composite" ? (lowering.flops?.(call.inputs, vertex.params) ?? 0) : 0;
  const kernel: CompositeKernel = {
    kind: "composite",
    call,
    parts: vertices.map((result) => resultOf(result)?.part ?? 0),
    flops,
    label: name,
    arguments: [],
    slots: [...inputs, ...vertices].map(({ dtype, size }, k) => ({ dtype, size, isOutput: k >= inputs.length })),
  };
  return { kernel, slots: [...inputs.map((input) => program.storageOf(input)), ...vertices], constants: [] };
}

function lowerRoutine(program: Program, vertex: MLXArray): Lowered<RoutineKernel> {
  const { lowering } = vertex.primitive;
  const inputs = program.inputsOf(vertex);
  const slots = [...inputs, vertex].map(({ dtype, size }, k) => ({ dtype, size, isOutput: k === inputs.length }));
  return {
    kernel: {
      kind: "routine",
      call: tensorCall(vertex),
      run: routineOf(vertex, inputs),
      part: (lowering.kind === "routine" && lowering.part) || null,
      label: vertex.primitive.name,
      arguments: [],
      slots,
    },
    slots: [...inputs.map((input) => program.storageOf(input)), vertex],
    constants: [],
  };
}

/** Apart from `lowerRoutine`, so that no closure in a plan can reach vertices and keep their memory. */
function routineOf(vertex: MLXArray, inputs: readonly MLXArray[]): RoutineKernel["run"] {
  const { lowering } = vertex.primitive;
  const inputAvals = inputs.map(({ shape, dtype }) => ({ shape, dtype }));
  const outputAval = { shape: vertex.shape, dtype: vertex.dtype };
  const { params } = vertex;
  return (buffers) => {
    const output = buffers.at(-1);
    if (lowering.kind === "routine" && output)
      lowering.run({ inputs: buffers.slice(0, -1), output, inputAvals, outputAval, params });
  };
}
