/**
 * Writing elements by arrays of indices, the same way every time: updates are sorted by where they go, and whoever has the
 * first of those for one element takes the others after it in their order.
 */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating, isHalf, kindOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import { rowMajorStrides, sizeOf } from "../../base/shape.ts";
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitCopy } from "./routine-join.ts";
import { inputOf, outputSlot, paramsOf, RoutineShader } from "./routine-shader.ts";
import { greatestKey } from "./sort-keys.ts";
import { sortPasses } from "./sorting-passes.ts";
import { castText } from "./wgsl-operations.ts";
import type { Shader } from "./wgsl-shader.ts";
import { registerOf } from "./wgsl-types.ts";

/** Updates per batch up to which each looks at all others instead of sorting them. */
const fewPositions = 32;

/** Copies the array, then writes the updates. */
export function emitScatter(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  return new ScatterEmitter(kernel, target).emit();
}

class ScatterEmitter {
  readonly #kernel: RoutineKernel;
  readonly #target: GpuTarget;
  readonly #op: string;
  readonly #dtype: Dtype;
  readonly #batches: number;
  readonly #batchStride: number;
  /** Updates per batch, each of `rest` elements. */
  readonly #positions: number;
  readonly #rest: number;
  /** Lengths and strides of the indexed axes, and of those that are not. */
  readonly #indexed: readonly AxisLayout[];
  readonly #others: readonly AxisLayout[];

  constructor(kernel: RoutineKernel, target: GpuTarget) {
    this.#kernel = kernel;
    this.#target = target;
    const { call } = kernel;
    const { op, batchRank, axes } = scatterParams(kernel);
    const { shape, dtype } = call.output;
    const strides = rowMajorStrides(shape);
    const layout = (axis: number): AxisLayout => ({ length: shape[axis] ?? 1, stride: strides[axis] ?? 1 });
    this.#op = op;
    this.#dtype = dtype;
    this.#batches = sizeOf(shape.slice(0, batchRank));
    this.#batchStride = sizeOf(shape.slice(batchRank));
    this.#indexed = axes.map(layout);
    this.#others = shape.flatMap((_, axis) => (axis < batchRank || axes.includes(axis) ? [] : [layout(axis)]));
    this.#positions = sizeOf(inputOf(call, 2).shape) / Math.max(this.#batches, 1);
    this.#rest = this.#others.reduce((product, { length }) => product * length, 1);
  }

  /** Updates of all batches. */
  get #updates(): number {
    return this.#batches * this.#positions;
  }

  emit(): GpuKernelCode {
    const copy = emitCopy(this.#kernel, this.#target);
    if (this.#batches * this.#positions * this.#rest === 0) return { dispatches: copy, scratchBytes: [] };
    if (this.#positions <= fewPositions) return { dispatches: [...copy, this.#apply(false)], scratchBytes: [] };
    const bytes = this.#updates * 4;
    const { dispatches, scratchBytes } = sortPasses(this.#kernel, this.#target, {
      rows: this.#batches,
      length: this.#positions,
      hasPlaces: true,
      firstScratch: 2,
      read: (routine, row, column) => this.#destination(routine, row, column),
      write: ({ shader, memory }, row, column, key, place) => {
        const at = shader.let("at", `${row} * ${this.#positions} + ${column}`);
        shader.line(memory.scratchArray(0, this.#updates).store(at, key));
        shader.line(memory.scratchArray(1, this.#updates).store(at, place));
      },
    });
    return {
      dispatches: [...copy, ...dispatches, this.#apply(true)],
      scratchBytes: [bytes, bytes, ...scratchBytes],
    };
  }

  /** The text of where update `position` of `batch` goes: a number over the indexed axes, the greatest key for nowhere. */
  #destination({ shader, memory }: RoutineShader, batch: string, position: string): string {
    const at = shader.let("at", `${batch} * ${this.#positions} + ${position}`);
    const places = this.#indexed.map(({ length }, k) => {
      const element = memory.load(k + 2, at);
      // What is beyond int32 is beyond every axis.
      if (registerOf(inputOf(this.#kernel.call, k + 2).dtype) === "u32")
        return { length, place: shader.let("index", `i32(min(${element}, 0x7fffffffu))`) };
      const given = shader.let("given", `i32(${element})`);
      return { length, place: shader.let("index", `select(${given}, ${given} + ${length}, ${given} < 0)`) };
    });
    const isInside = places.map(({ length, place }) => `${place} >= 0 && ${place} < ${length}`).join(" && ");
    const number = places.reduce(
      (sum, { length, place }) => (sum === "" ? place : `(${sum}) * ${length} + ${place}`),
      "",
    );
    return shader.let("destination", places.length === 0 ? "0" : `select(${greatestKey}, ${number}, ${isInside})`);
  }

  /** One thread for each element of each update; the updates are sorted, or few. */
  #apply(isSorted: boolean): GpuDispatch {
    const routine = new RoutineShader(this.#kernel, this.#target);
    const { shader, memory } = routine;
    const point = routine.point(this.#batches * this.#positions * this.#rest);
    const inner = shader.let("inner", `${point} % ${this.#rest}`);
    const own = shader.let("own", `(${point} / ${this.#rest}) % ${this.#positions}`);
    const batch = shader.let("batch", `${point} / ${this.#rest * this.#positions}`);
    const base = shader.let("base", `${batch} * ${this.#positions}`);
    const keyAt = (place: string): string =>
      isSorted
        ? memory.scratchArray(0, this.#updates).load(`${base} + ${place}`)
        : this.#destination(routine, batch, place);
    const key = shader.let("key", keyAt(own));
    shader.block(`if (${key} == ${greatestKey})`, () => shader.line("return;"));
    const target = shader.let("target", this.#offset(shader, batch, key, inner));
    const update = (place: string): string => {
      const position = isSorted ? memory.scratchArray(1, this.#updates).load(`${base} + ${place}`) : place;
      return memory.load(1, `(${base} + ${position}) * ${this.#rest} + ${inner}`);
    };
    const output = outputSlot(this.#kernel);
    if (this.#op === "set") {
      this.#leaveIfAnother(shader, key, keyAt, isSorted, `${own} + 1`, `${this.#positions}`);
      shader.line(memory.store(output, target, update(own)));
      return routine.dispatch();
    }
    this.#leaveIfAnother(shader, key, keyAt, isSorted, isSorted ? `max(${own} - 1, 0)` : "0", own);
    shader.line(`var value = ${memory.load(0, target)};`);
    shader.block(`for (var place = ${own}; place < ${this.#positions}; place++)`, () => {
      const isOther = `${keyAt("place")} != ${key}`;
      shader.block(`if (${isOther})`, () => shader.line(isSorted ? "break;" : "continue;"));
      const next = shader.let("next", update("place"));
      shader.line(`value = ${combined(shader, this.#op, this.#dtype, "value", next)};`);
    });
    shader.line(memory.store(output, target, finished(shader, this.#dtype, "value")));
    return routine.dispatch();
  }

  /** Returns if an update from `begin` to `end` goes to the same element; sorted ones are neighbours, so one of them tells. */
  #leaveIfAnother(
    shader: Shader,
    key: string,
    keyAt: (place: string) => string,
    isSorted: boolean,
    begin: string,
    end: string,
  ): void {
    const limit = isSorted ? `min(${begin} + 1, ${end})` : end;
    shader.block(`for (var other = ${begin}; other < ${limit}; other++)`, () => {
      shader.block(`if (${keyAt("other")} == ${key})`, () => shader.line("return;"));
    });
  }

  /** The flat position of element `inner` of an update that goes to `key`. */
  #offset(shader: Shader, batch: string, key: string, inner: string): string {
    const parts = [`${batch} * ${this.#batchStride}`];
    const spread = (axes: readonly AxisLayout[], from: string): void => {
      let rest = from;
      for (const [k, { length, stride }] of [...axes.entries()].reverse()) {
        parts.push(k === 0 ? `${rest} * ${stride}` : `(${rest} % ${length}) * ${stride}`);
        if (k > 0) rest = shader.let("rest", `${rest} / ${length}`);
      }
    };
    spread(this.#indexed, key);
    spread(this.#others, inner);
    return parts.join(" + ");
  }
}

interface AxisLayout {
  readonly length: number;
  readonly stride: number;
}

/** Both values together, in registers; half floats are rounded at every step, as they are on the CPU. */
function combined(shader: Shader, op: string, dtype: Dtype, a: string, b: string): string {
  const isBool = dtype === "bool";
  switch (op) {
    case "add":
      return isBool ? `${a} | ${b}` : rounded(shader, dtype, `${a} + ${b}`);
    case "multiply":
      return isBool ? `${a} & ${b}` : rounded(shader, dtype, `${a} * ${b}`);
    case "maximum":
      if (isBool) return `${a} | ${b}`;
      return isFloating(dtype) ? shader.call("max_of", 1, a, b) : `max(${a}, ${b})`;
    case "minimum":
      if (isBool) return `${a} & ${b}`;
      return isFloating(dtype) ? shader.call("min_of", 1, a, b) : `min(${a}, ${b})`;
    default:
      throw new MLXError("scatter", `knows no ${op}`);
  }
}

function rounded(shader: Shader, dtype: Dtype, text: string): string {
  return isHalf(dtype) ? castText(shader, "float32", dtype, text, 1) : text;
}

/** Small integers wrap around once all is combined. */
function finished(shader: Shader, dtype: Dtype, value: string): string {
  if (isFloating(dtype) || dtype === "bool" || byteLengthOf(dtype) === 4) return value;
  registerOf(dtype);
  return castText(shader, kindOf(dtype) === "signed" ? "int32" : "uint32", dtype, value, 1);
}

function scatterParams({ call }: RoutineKernel): {
  readonly op: string;
  readonly batchRank: number;
  readonly axes: readonly number[];
} {
  const params = paramsOf(call);
  if (
    "op" in params &&
    typeof params.op === "string" &&
    "batchRank" in params &&
    typeof params.batchRank === "number" &&
    "axes" in params &&
    Array.isArray(params.axes)
  ) {
    return { op: params.op, batchRank: params.batchRank, axes: params.axes.map(Number) };
  }
  throw new MLXError(call.name, "has other parameters than expected");
}
