/** Routines that copy: many arrays one after the other, and bytes read as another dtype. Elements are moved as words where they fill them. */
import { byteLengthOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { RoutineKernel, Slot } from "../../ir/kernel.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { inputOf, outputSlot, paramsOf, RoutineShader, routineThreads } from "./routine-shader.ts";

/** How an input goes into the output: blocks of `length` elements, `outer` of them, each `start` after a multiple of `stride`. */
interface Part {
  readonly slot: number;
  readonly outer: number;
  readonly length: number;
  readonly start: number;
  readonly stride: number;
}

/** Copies the inputs of a join, as many in a dispatch as can be bound. */
export function emitJoin(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { call } = kernel;
  const axis = axisOf(kernel);
  const sizeOf = (shape: readonly number[]): number => shape.reduce((product, one) => product * one, 1);
  const outer = sizeOf(call.output.shape.slice(0, axis));
  const stride = sizeOf(call.output.shape.slice(axis));
  let start = 0;
  const parts = kernel.slots.slice(0, -1).map((_, slot) => {
    const length = sizeOf(inputOf(call, slot).shape.slice(axis));
    start += length;
    return { slot, outer, length, start: start - length, stride };
  });
  return copies(kernel, target, parts, byteLengthOf(call.output.dtype));
}

/** Copies the words of the input. */
export function emitViewBytes(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const { shape, dtype } = kernel.call.output;
  const bytes = shape.reduce((product, one) => product * one, byteLengthOf(dtype));
  // The padding behind a buffer fills its last word.
  const length = Math.ceil(bytes / 4);
  return copies(kernel, target, [{ slot: 0, outer: 1, length, start: 0, stride: length }], 4);
}

/** Dispatches that copy the first input to the output, which has its shape. */
export function emitCopy(kernel: RoutineKernel, target: GpuTarget): readonly GpuDispatch[] {
  const { shape, dtype } = kernel.call.output;
  const length = shape.reduce((product, one) => product * one, 1);
  const whole = { slot: 0, outer: 1, length, start: 0, stride: length };
  return copies(kernel, target, [whole], byteLengthOf(dtype)).dispatches;
}

/** Dispatches that copy `parts` of elements of so many bytes. */
function copies(kernel: RoutineKernel, target: GpuTarget, parts: readonly Part[], bytes: number): GpuKernelCode {
  const divides = (unit: number): boolean =>
    parts.every((part) =>
      [part.length, part.start, part.stride].every((count) =>
        part.outer === 1 && count === part.stride ? true : (count * bytes) % unit === 0,
      ),
    );
  const unit = divides(4) ? 4 : bytes;
  const scaled = parts.map((part) => scaledBy(part, bytes, unit));
  const dtype = unit === 4 ? "uint32" : unit === 2 ? "uint16" : "uint8";
  const slots = kernel.slots.map(
    (slot): Slot => ({
      dtype,
      size: Math.ceil((slot.size * byteLengthOf(slot.dtype)) / unit),
      isOutput: slot.isOutput,
    }),
  );
  const dispatches: GpuDispatch[] = [];
  const perDispatch = target.storageBuffers - 1;
  for (let first = 0; first < scaled.length; first += perDispatch) {
    dispatches.push(copy(kernel, target, slots, scaled.slice(first, first + perDispatch)));
  }
  return { dispatches, scratchBytes: [] };
}

function scaledBy(part: Part, bytes: number, unit: number): Part {
  const scale = (count: number): number => Math.ceil((count * bytes) / unit);
  return { ...part, length: scale(part.length), start: scale(part.start), stride: scale(part.stride) };
}

/** One dispatch: workgroups in order of the parts, each thread four elements of a block where all is a multiple of four. */
function copy(kernel: RoutineKernel, target: GpuTarget, slots: readonly Slot[], parts: readonly Part[]): GpuDispatch {
  const routine = new RoutineShader(kernel, target, slots);
  const { shader, memory } = routine;
  const output = outputSlot(kernel);
  const isWide = parts.every(({ length, start, stride }) => [length, start, stride].every((count) => count % 4 === 0));
  const lanes = isWide ? 4 : 1;
  const groupsOf = ({ outer, length }: Part): number => Math.ceil((outer * length) / lanes / routineThreads);
  const place = routine.group(parts.reduce((sum, part) => sum + groupsOf(part), 0));
  let before = 0;
  for (const part of parts) {
    const { slot, outer, length, start, stride } = part;
    const points = (outer * length) / lanes;
    const first = before;
    before += groupsOf(part);
    shader.block(`if (${place} >= ${first} && ${place} < ${before})`, () => {
      const point = shader.let("point", `(${place} - ${first}) * ${routineThreads} + i32(thread)`);
      shader.block(`if (${point} < ${points})`, () => {
        const from = shader.let("from", lanes === 4 ? `${point} * 4` : point);
        const to = shader.let(
          "to",
          outer === 1 ? `${from} + ${start}` : `(${from} / ${length}) * ${stride} + ${from} % ${length} + ${start}`,
        );
        shader.line(
          isWide
            ? memory.storeFour(output, to, memory.loadFour(slot, from))
            : memory.store(output, to, memory.load(slot, from)),
        );
      });
    });
  }
  return routine.dispatch();
}

function axisOf({ call }: RoutineKernel): number {
  const params = paramsOf(call);
  if ("axis" in params && typeof params.axis === "number") return params.axis;
  throw new MLXError(call.name, "has no axis");
}
