/** Composites that are computed whole: attention, products with packed weights, convolutions by tiles. */
import { sizeOf } from "../../base/shape.ts";
import type { CompositeKernel, TensorCall } from "../../ir/kernel.ts";
import { tensorCounts } from "./attention-call.ts";
import { emitAttentionGradient } from "./attention-gradient-kernel.ts";
import { emitAttention } from "./attention-kernel.ts";
import { propertyOf } from "./engine-features.ts";
import { groupedOf, groupedWeightsOf } from "./grouped-call.ts";
import { emitGroupedConvolution } from "./grouped-kernel.ts";
import { emitGroupedWeights } from "./grouped-weights.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { emitQuantizedProduct } from "./quantized-kernel.ts";
import { spreadOf } from "./spread-call.ts";
import { emitSpreadConvolution } from "./spread-kernel.ts";
import { emitTiledConvolution } from "./winograd-kernel.ts";

const emitters = new Map([
  ["attentionGradient", emitAttentionGradient],
  ["quantizedMatmul", emitQuantizedProduct],
  ["convolutionWeights", emitGroupedWeights],
]);

/** The module of a composite that is taken. */
export function emit(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const { call } = kernel;
  if (call.name === "convolution") {
    if (isTiled(call)) return emitTiledConvolution(kernel, target);
    return groupedOf(call) ? emitGroupedConvolution(kernel, target) : emitSpreadConvolution(kernel, target);
  }
  return (emitters.get(call.name) ?? emitAttention)(kernel, target);
}

/** Whether a composite is computed by a kernel of its own. Which lengths and parameters it has, the kernel finds out. */
export function isTaken(call: TensorCall): boolean {
  const { name, inputs, params } = call;
  const [x, w] = inputs;
  if (!x || !w || inputs.some(({ shape }) => sizeOf(shape) === 0)) return false;
  const maskPlace = tensorCounts.get(name);
  // Beside float32: a mask may be boolean, packed weights are whole words.
  if (
    !inputs.every(
      ({ dtype }, k) =>
        dtype === "float32" || (maskPlace === undefined ? k === 1 : k === maskPlace && dtype === "bool"),
    )
  )
    return false;
  const number = (key: string): number => Number(propertyOf(params, key));
  if (maskPlace !== undefined) return Number.isFinite(number("scale"));
  // A pair of vectors has eight words, which must share their scale.
  if (name === "quantizedMatmul")
    return (
      w.shape.length === 2 &&
      number("isTransposed") === 1 &&
      (32 % number("bits")) + ((number("groupSize") * number("bits")) % 256) === 0 &&
      sizeOf(x.shape.slice(0, -1)) <= mostRows
    );
  if (name === "convolutionWeights") return groupedWeightsOf(call) !== null;
  return name === "convolution" && (isTiled(call) || spreadOf(call) !== null || groupedOf(call) !== null);
}

/** Whether a convolution is one for transformed tiles: 3 × 3, stride 1 or 2, of one group, many channels and places. */
function isTiled({ inputs: [x, w], output, params }: TensorCall): boolean {
  const [outputs = 0, tall, wide, channels = 0] = w?.shape ?? [];
  const dilations = ["kernelDilations", "inputDilations"].map((key) => propertyOf(params, key));
  const strides = String(propertyOf(params, "strides"));
  return (
    channels === x?.shape.at(-1) && // one group
    (strides === "1,1" || (strides === "2,2" && channels >= fewestHalved)) &&
    `${[w?.dtype, tall, wide, (outputs | channels) % 16, dilations]}` === "float32,3,3,0,1,1,1,1" &&
    sizeOf(output.shape) >= Math.max(leastTiled, 2 * outputs * channels)
  );
}

/** Outputs from which a convolution of 3 × 3 is computed by tiles, if they are enough to transform the weights for. */
const leastTiled = 2 ** 16;

/** Channels from which tiles pay with stride 2, where they save less. */
const fewestHalved = 32;

/** Rows up to which packed weights are unpacked for each of them; more are worth a product with weights unpacked once. */
const mostRows = 8;
