/** From a graph to a plan: groups become kernels, kernels get buffers. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Plan, Step } from "../ir/backend.ts";
import type { PlanOptions } from "./fuse.ts";
import { fuse } from "./fuse.ts";
import type { Program } from "./program.ts";

/** A plan with what its inputs, outputs and constants stand for. */
export interface Planned {
  readonly plan: Plan;
  /** For each root of the program the output, or the input, that holds it: outputs count from 0, inputs are `-1 - input`. */
  readonly rootBuffers: readonly number[];
  /** For each input of the plan its place among the known inputs, or the array itself if a composite brought it. */
  readonly inputSources: readonly (number | MLXArray)[];
  /** For each constant of the plan its place among the known constants, or the array itself if a composite brought it. */
  readonly constantSources: readonly (number | MLXArray)[];
}

/** Plans the computation of `program`; inputs and constants among `known` may be others at each run. */
export function planProgram(
  program: Program,
  known: { readonly inputs: readonly MLXArray[]; readonly constants: readonly MLXArray[] },
  options: PlanOptions,
): Planned {
  const kernels = fuse(program, options);
  const bufferOf = new Map<MLXArray, number>();
  const bufferBytes: number[] = [];
  const addBuffer = (vertex: MLXArray): void => {
    if (bufferOf.has(vertex)) return;
    bufferOf.set(vertex, bufferBytes.length);
    bufferBytes.push(vertex.nbytes);
  };
  for (const input of program.inputs) addBuffer(input);
  const inputCount = bufferBytes.length;
  const aliases = new Map<MLXArray, MLXArray>();
  for (const root of program.roots) {
    const source = program.storageOf(root);
    aliases.set(root, source);
    addBuffer(source);
  }
  const outputCount = bufferBytes.length - inputCount;
  for (const { slots } of kernels) for (const vertex of slots) addBuffer(vertex);
  const constantIndex = new Map(program.constants.map((constant, index) => [constant, index]));
  const steps: Step[] = kernels.map(({ kernel, slots, constants }) => ({
    kernel,
    buffers: slots.map((vertex) => bufferOf.get(vertex) ?? 0),
    constants: constants.map((constant) => constantIndex.get(constant) ?? 0),
  }));
  const rootBuffers = program.roots.map((root) => {
    const buffer = bufferOf.get(aliases.get(root) ?? root) ?? 0;
    return buffer < inputCount ? -1 - buffer : buffer - inputCount;
  });
  const plan: Plan = {
    steps,
    constants: program.constants.map(({ dtype }) => dtype),
    bufferBytes,
    inputCount,
    outputCount,
  };
  const sourceIn = (list: readonly MLXArray[], wanted: MLXArray): number | MLXArray => {
    const place = list.findIndex((candidate) => program.resolve(candidate) === wanted);
    return place === -1 ? wanted : place;
  };
  return {
    plan,
    rootBuffers,
    inputSources: program.inputs.map((input) => sourceIn(known.inputs, input)),
    constantSources: program.constants.map((constant) => sourceIn(known.constants, constant)),
  };
}
