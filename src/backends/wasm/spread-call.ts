/** Which convolutions are spread: products of each place with all weights at once, added to the outputs that see it. */
import { sizeOf } from "../../base/shape.ts";
import type { TensorCall } from "../../ir/kernel.ts";
import { propertyOf } from "./engine-features.ts";

/** One of three spatial axes; those that a convolution lacks have one place. */
export interface SpreadAxis {
  readonly length: number;
  readonly outLength: number;
  /** Weights along the axis, and the distance of the outputs of neighbouring ones. */
  readonly size: number;
  readonly spread: number;
  /** Distance of the outputs of neighbouring places. */
  readonly step: number;
  /** The first output of place 0; negative ones are none. */
  readonly first: number;
}

/** A convolution without strides: place `i` and weight `u`, counted as outputs ascend, meet at output `first + i · step + u · spread`. */
export interface SpreadConvolution {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly axes: readonly [SpreadAxis, SpreadAxis, SpreadAxis];
  /** Whether weights lie in the order of outputs; otherwise backwards. */
  readonly ascends: boolean;
}

/**
 * Most outputs, where outputs are as dense as places and where places are apart, which the definition computes remainder by
 * remainder. With more of them packing windows costs little beside multiplying them.
 */
const [mostOutputs, mostOutputsApart] = [15, 64];
/** Most sums of a place, and most outputs for each channel: adding products up must cost little beside making them. */
const [mostSums, mostPerChannel] = [1024, 4];
/** Multiplications from which a kernel of its own pays. */
const leastWork = 1 << 16;

/** The convolution that `call` is, if it is one to spread. */
export function spreadOf({ name, inputs, output, params }: TensorCall): SpreadConvolution | null {
  const [x, w] = inputs;
  if (name !== "convolution" || !x || !w || w.dtype !== "float32") return null;
  const list = (key: string): number[] => [propertyOf(params, key)].flat().map(Number);
  const [strides, low, spreads, steps] = [
    list("strides"),
    list("low"),
    list("kernelDilations"),
    list("inputDilations"),
  ];
  const [batch = 0, channels = 0, outputs = 0] = [x.shape[0], x.shape.at(-1), output.shape.at(-1)];
  const sizes = w.shape.slice(1, -1);
  const taps = sizeOf(sizes);
  if (w.shape.at(-1) !== channels || strides.some((stride) => stride !== 1) || taps === 1) return null;
  const isApart = steps.some((step) => step > 1);
  const most = Math.min(isApart ? mostOutputsApart : mostOutputs, mostPerChannel * channels, mostSums / taps);
  if (outputs > most) return null;
  if (sizeOf(x.shape) * taps * outputs < leastWork) return null;
  const axes = sizes.map((size, k): SpreadAxis => {
    const [spread = 1, step = 1] = [spreads[k], steps[k]];
    const first = (low[k] ?? 0) - (size - 1) * spread;
    return { length: x.shape[k + 1] ?? 1, outLength: output.shape[k + 1] ?? 1, size, spread, step, first };
  });
  const none: SpreadAxis = { length: 1, outLength: 1, size: 1, spread: 1, step: 1, first: 0 };
  const last = axes.pop() ?? none;
  const [outer = none, inner = none] = axes;
  return { batch, channels, outputs, axes: [outer, inner, last], ascends: propertyOf(params, "flip") === true };
}
