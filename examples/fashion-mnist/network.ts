/** The network, and what trains and judges it. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { classNames } from "./dataset.ts";

/** The mean and the standard deviation of the training images' pixels, from 0 to 1. */
const pixelMean = 0.286;
const pixelDeviation = 0.353;

/** Two convolutions, each with a pooling that halves the image, then two linear layers. */
export class ClothingNetwork extends nn.Module {
  conv1: nn.Conv2d;
  norm1: nn.BatchNorm;
  conv2: nn.Conv2d;
  norm2: nn.BatchNorm;
  hidden: nn.Linear;
  output: nn.Linear;
  readonly pool: nn.MaxPool2d;

  constructor() {
    super();
    // The normalizations that follow have a bias of their own.
    this.conv1 = new nn.Conv2d(1, 16, 3, { padding: 1, bias: false });
    this.norm1 = new nn.BatchNorm(16);
    this.conv2 = new nn.Conv2d(16, 32, 3, { padding: 1, bias: false });
    this.norm2 = new nn.BatchNorm(32);
    this.hidden = new nn.Linear(7 * 7 * 32, 128);
    this.output = new nn.Linear(128, classNames.length);
    this.pool = new nn.MaxPool2d(2);
  }

  /**
   * @param images [batch, side, side], from 0 to 255
   * @returns [batch, classes], unnormalized log probabilities
   */
  forward(images: mx.MLXArray): mx.MLXArray {
    const pixels = images.asType("float32").div(255).sub(pixelMean).div(pixelDeviation);
    const x = mx.expandDims(pixels, -1); // [batch, 28, 28, 1]
    // Pooled first: then there is a quarter left to normalize.
    const half = nn.relu(this.norm1(this.pool(this.conv1(x)))); // [batch, 14, 14, 16]
    const quarter = nn.relu(this.norm2(this.pool(this.conv2(half)))); // [batch, 7, 7, 32]
    return this.output(nn.relu(this.hidden(mx.flatten(quarter, 1))));
  }
}
