/** Neural networks: modules, layers, activations, losses and initializers. */
export { sigmoid } from "../primitives/exponential.ts";
export { tanh } from "../primitives/trigonometry.ts";
export * from "./activation-modules.ts";
export { Hardswish as HardSwish, ReLU2 as ReLUSquared } from "./activation-modules.ts";
export type { AlphaOptions, AxisOptions, LeakyReluOptions, ShrinkOptions } from "./activations.ts";
export {
  celu,
  elu,
  gelu,
  geluApprox,
  geluApprox as geluApproximate,
  geluFastApprox,
  geluFastApprox as geluFastApproximate,
  glu,
  hardShrink,
  hardswish,
  hardswish as hardSwish,
  hardTanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  prelu,
  relu,
  relu2,
  relu2 as reluSquared,
  relu6,
  selu,
  silu,
  softmax,
  softmin,
  softplus,
  softshrink,
  softsign,
  step,
} from "./activations.ts";
export type { Layer } from "./containers.ts";
export { Sequential } from "./containers.ts";
export type { ConvolutionLayerOptions, TransposedConvolutionLayerOptions } from "./convolution.ts";
export { Conv1d, Conv2d, Conv3d, ConvTransposed1d, ConvTransposed2d, ConvTransposed3d } from "./convolution.ts";
export { Dropout, Dropout2d, Dropout3d } from "./dropout.ts";
export { Embedding } from "./embedding.ts";
export * as init from "./init.ts";
export type { BiasOptions } from "./linear.ts";
export { Bilinear, Identity, Linear } from "./linear.ts";
export * as losses from "./losses.ts";
export type { FreezeOptions, UpdateOptions } from "./module.ts";
export { Module } from "./module.ts";
export type { ModuleFilter, ModuleLeafTest, ModuleMap, NestedTree } from "./module-tree.ts";
export type { AffineOptions, BatchNormOptions, GroupNormOptions, NormOptions } from "./normalization.ts";
export { BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm } from "./normalization.ts";
export type { ParametersOf, ParameterTree } from "./parameter-tree.ts";
export * from "./parametric-activations.ts";
export type { PoolOptions } from "./pooling.ts";
export { AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d } from "./pooling.ts";
export type { RoPEOptions, SinusoidalOptions } from "./positional-encoding.ts";
export { ALiBi, RoPE, SinusoidalPositionalEncoding } from "./positional-encoding.ts";
export type { RNNOptions } from "./recurrent.ts";
export { GRU, LSTM, RNN } from "./recurrent.ts";
export type { MultiHeadAttentionOptions, TransformerLayerOptions, TransformerOptions } from "./transformer.ts";
export {
  MultiHeadAttention,
  Transformer,
  TransformerDecoder,
  TransformerDecoderLayer,
  TransformerEncoder,
  TransformerEncoderLayer,
} from "./transformer.ts";
export type { UpsampleMode, UpsampleOptions } from "./upsample.ts";
export { Upsample } from "./upsample.ts";
export { valueAndGrad } from "./value-and-grad.ts";
export type { LoadWeightsOptions, SaveWeightsOptions, WeightFormat, WeightList } from "./weights.ts";
