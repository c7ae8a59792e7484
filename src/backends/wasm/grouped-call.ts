/** Which convolutions in groups of few channels are computed directly, many outputs at a time. */
import { sizeOf } from "../../base/shape.ts";
import type { TensorCall } from "../../ir/kernel.ts";
import { propertyOf } from "./engine-features.ts";

/** A spatial axis: output `j` meets place `i` by weight `u` where `i · step = j · stride + u · spread - low`. */
export interface GroupedAxis {
  readonly length: number;
  readonly outLength: number;
  readonly size: number;
  readonly spread: number;
  readonly stride: number;
  readonly step: number;
  readonly low: number;
}

/** A convolution in groups: `inner` channels lead to `outer` outputs in each. */
export interface GroupedConvolution {
  readonly batch: number;
  readonly groups: number;
  readonly inner: number;
  readonly outer: number;
  /** Rows and columns; what has one axis has one row. */
  readonly rows: GroupedAxis;
  readonly columns: GroupedAxis;
  /** Whether the weights are read backwards. */
  readonly flip: boolean;
}

/** Most channels of a group on its smaller side; products of larger groups fill tiles well enough. */
const mostChannels = 4;
/** Most products for an output that follow each other in code. */
const mostUnrolled = 64;
/** Multiplications from which a kernel of its own pays. */
const leastWork = 1 << 16;

/** The convolution that `call` is, if it is one to compute directly. */
export function groupedOf({ name, inputs, output, params }: TensorCall): GroupedConvolution | null {
  const [x, w] = inputs;
  const groups = Number(propertyOf(params, "groups"));
  const sizes = w?.shape.slice(1, -1) ?? [];
  if (name !== "convolution" || !x || !w || w.dtype !== "float32" || groups < 2 || sizes.length > 2) return null;
  const [inner, outputs] = [w.shape.at(-1) ?? 1, w.shape[0] ?? 1];
  const outer = outputs / groups;
  if (Math.min(inner, outer) > mostChannels || outputs % 4 !== 0) return null;
  if ((sizes.at(-1) ?? 1) * inner > mostUnrolled || sizeOf(output.shape) * sizeOf(sizes) * inner < leastWork)
    return null;
  const setting = (key: string, k: number): number => Number([propertyOf(params, key)].flat()[k]);
  const axes = sizes.map((size, k): GroupedAxis => {
    const [length = 1, outLength = 1] = [x.shape[k + 1], output.shape[k + 1]];
    const [stride, step] = [setting("strides", k), setting("inputDilations", k)];
    return { length, outLength, size, spread: setting("kernelDilations", k), stride, step, low: setting("low", k) };
  });
  if (axes.some(({ stride, step }) => stride > 1 && step > 1)) return null;
  const none = { length: 1, outLength: 1, size: 1, spread: 1, stride: 1, step: 1, low: 0 };
  const columns = axes.pop() ?? none;
  const [rows = none] = axes;
  const flip = propertyOf(params, "flip") === true;
  return { batch: x.shape[0] ?? 1, groups, inner, outer, rows, columns, flip };
}

/** The products that it adds up. */
export function productsOf({ batch, groups, inner, outer, rows, columns }: GroupedConvolution): number {
  return batch * rows.outLength * columns.outLength * groups * outer * rows.size * columns.size * inner;
}

/** The convolution whose weights' gradient `call` is, if that is one to compute directly: places are not apart. */
export function groupedWeightsOf({ name, inputs, output, params }: TensorCall): GroupedConvolution | null {
  const [cotangent, x] = inputs;
  if (name !== "convolutionWeights" || !cotangent || x?.dtype !== "float32") return null;
  const shape = groupedOf({ name: "convolution", inputs: [x, output], output: cotangent, params });
  return shape && shape.rows.step * shape.columns.step === 1 ? shape : null;
}
