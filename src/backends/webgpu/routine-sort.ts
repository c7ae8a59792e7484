/** Sorting and searching: rows of any length, NaN above all numbers, equal elements in their order. */
import { MLXError } from "../../base/errors.ts";
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { inputOf, outputSlot, paramsOf, RoutineShader, rowsOf } from "./routine-shader.ts";
import { elementText, keyText } from "./sort-keys.ts";
import { sortPasses } from "./sorting-passes.ts";

/** Elements in ascending order, or the places that bring them into it. */
export function emitSort(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { call } = kernel;
  const input = inputOf(call, 0);
  const { dtype } = input;
  const { rows, length } = rowsOf(input);
  const hasPlaces = call.name === "argSort";
  return sortPasses(kernel, target, {
    rows,
    length,
    hasPlaces,
    firstScratch: 0,
    read: ({ shader, memory }, row, column) => {
      const x = shader.let("x", memory.load(0, `${row} * ${length} + ${column}`));
      return keyText(shader, dtype, x, hasPlaces ? "equal" : "ordered");
    },
    write: ({ shader, memory }, row, column, key, place) => {
      const value = hasPlaces ? `u32(${place})` : elementText(shader, dtype, key);
      shader.line(memory.store(outputSlot(kernel), `${row} * ${length} + ${column}`, value));
    },
  });
}

/** For each value how many elements of an ascending row are less, or not greater. */
export function emitSearch(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { call } = kernel;
  const { isRight, batchRank } = searchParams(kernel);
  const [sorted, values] = [inputOf(call, 0), inputOf(call, 1)];
  const { length } = rowsOf(sorted);
  const size = (shape: readonly number[]): number => shape.reduce((product, one) => product * one, 1);
  const each = size(values.shape.slice(batchRank));
  const routine = new RoutineShader(kernel, target);
  const { shader, memory } = routine;
  const point = routine.point(size(values.shape));
  const base = shader.let("base", `(${point} / ${each}) * ${length}`);
  const x = shader.let("x", memory.load(1, point));
  const wanted = shader.let("wanted", keyText(shader, values.dtype, x, "equal"));
  shader.line("var low = 0;");
  shader.line(`var high = ${length};`);
  shader.block("while (low < high)", () => {
    const middle = shader.let("middle", "(low + high) / 2");
    const y = shader.let("y", memory.load(0, `${base} + ${middle}`));
    const key = shader.let("key", keyText(shader, sorted.dtype, y, "equal"));
    shader.block(`if (${key} ${isRight ? "<=" : "<"} ${wanted})`, () => shader.line(`low = ${middle} + 1;`));
    shader.block("else", () => shader.line(`high = ${middle};`));
  });
  shader.line(memory.store(outputSlot(kernel), point, "u32(low)"));
  return { dispatches: [routine.dispatch()], scratchBytes: [] };
}

function searchParams({ call }: RoutineKernel): { readonly isRight: boolean; readonly batchRank: number } {
  const params = paramsOf(call);
  if (
    "isRight" in params &&
    typeof params.isRight === "boolean" &&
    "batchRank" in params &&
    typeof params.batchRank === "number"
  ) {
    return { isRight: params.isRight, batchRank: params.batchRank };
  }
  throw new MLXError(call.name, "has other parameters than expected");
}
