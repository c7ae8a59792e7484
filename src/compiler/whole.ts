/** Kernels that are one operation as a whole: routines, and composites that a backend computes itself. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { CompositeKernel, RoutineKernel } from "../ir/kernel.ts";
import type { Lowered } from "./lower.ts";
import type { Program } from "./program.ts";
import { tensorCall } from "./program.ts";

/** The kernel of a vertex that fuses with nothing. */
export function lowerWhole(program: Program, vertex: MLXArray): Lowered<CompositeKernel | RoutineKernel> {
  return vertex.primitive.lowering.kind === "composite"
    ? lowerComposite(program, vertex)
    : lowerRoutine(program, vertex);
}

function lowerComposite(program: Program, vertex: MLXArray): Lowered<CompositeKernel> {
  const inputs = program.inputsOf(vertex);
  const { lowering, name } = vertex.primitive;
  const call = tensorCall(vertex);
  const flops = lowering.kind === "composite" ? (lowering.flops?.(call.inputs, vertex.params) ?? 0) : 0;
  const kernel: CompositeKernel = {
    kind: "composite",
    call,
    flops,
    label: name,
    arguments: [],
    slots: [...inputs, vertex].map(({ dtype, size }, k) => ({ dtype, size, isOutput: k === inputs.length })),
  };
  return { kernel, slots: [...inputs.map((input) => program.storageOf(input)), vertex], constants: [] };
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
