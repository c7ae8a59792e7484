/** The lengths of a convolution that is computed by transformed tiles. */
import type { TensorCall } from "../../ir/kernel.ts";
import { propertyOf } from "./engine-features.ts";
import type { TileStride } from "./winograd-transforms.ts";

/** A convolution of 3 × 3 weights: [batch, height, width, channels] → [batch, outHeight, outWidth, outputs]. */
export interface TiledConvolution {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outputs: number;
  readonly stride: TileStride;
  /** Zeros before each spatial axis. */
  readonly low: readonly [number, number];
  /** Whether the weights are read backwards. */
  readonly flip: boolean;
}

/** The lengths and parameters of a convolution that the backend takes whole. */
export function tiledConvolutionOf({ inputs, output, params }: TensorCall): TiledConvolution {
  const [batch = 0, height = 0, width = 0, channels = 0] = inputs[0]?.shape ?? [];
  const [, outHeight = 0, outWidth = 0, outputs = 0] = output.shape;
  const [top = 0, left = 0]: readonly unknown[] = [propertyOf(params, "low")].flat();
  const [stride]: readonly unknown[] = [propertyOf(params, "strides")].flat();
  const flip = propertyOf(params, "flip") === true;
  return {
    batch,
    height,
    width,
    channels,
    outHeight,
    outWidth,
    outputs,
    stride: stride === 2 ? 2 : 1,
    low: [Number(top), Number(left)],
    flip,
  };
}
