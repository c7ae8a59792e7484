/** Attention and the transformer's encoder. */
import type { Dtype } from "../base/dtype.ts";
import { greatestFinite } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import {
  callable,
  constructorOptions,
  count,
  flag,
  partialShare,
  requireValues,
  size as sizeRule,
} from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { less } from "../primitives/comparison.ts";
import type { AttentionMask } from "../primitives/fast.ts";
import { scaledDotProductAttention } from "../primitives/fast.ts";
import { iota } from "../primitives/generate.ts";
import { constant } from "../primitives/leaf.ts";
import { where } from "../primitives/selection.ts";
import { flatten } from "../primitives/shaping.ts";
import { reshape, transpose } from "../primitives/views.ts";
import { relu } from "./activations.ts";
import { Dropout } from "./dropout.ts";
import type { BiasOptions } from "./linear.ts";
import { biasRules, Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { LayerNorm } from "./normalization.ts";

/** The options of `MultiHeadAttention`; `bias` is false unless given. */
export interface MultiHeadAttentionOptions extends BiasOptions {
  /** The features of the queries; `size` unless given. */
  readonly queryInputSize?: number | undefined;
  /** The features of the keys; `size` unless given. */
  readonly keyInputSize?: number | undefined;
  /** The features of the values; `keyInputSize` unless given. */
  readonly valueInputSize?: number | undefined;
  /** The features of the values after their projection, all heads together; `size` unless given. */
  readonly valueSize?: number | undefined;
  /** The features of the result; `size` unless given. */
  readonly valueOutputSize?: number | undefined;
}

const attentionRules: Rules<MultiHeadAttentionOptions> = {
  ...biasRules,
  queryInputSize: sizeRule,
  keyInputSize: sizeRule,
  valueInputSize: sizeRule,
  valueSize: sizeRule,
  valueOutputSize: sizeRule,
};

/**
 * Attention of several heads with projections before and after. Source: Vaswani et al. 2017.
 *
 * @throws {ArgumentError} if `size` is no multiple of `numHeads`
 * @example
 * const attention = new nn.MultiHeadAttention(8, 2);
 * const x = zeros([1, 5, 8]);
 * attention(x, x, x, "causal").shape; // [1, 5, 8]
 */
export class MultiHeadAttention extends Module {
  static override readonly name: string = "MultiHeadAttention";

  readonly numHeads: number;
  queryProj: Linear;
  keyProj: Linear;
  valueProj: Linear;
  outProj: Linear;

  constructor(size: number, numHeads: number, options: MultiHeadAttentionOptions = {}) {
    super();
    requireValues("MultiHeadAttention", sizeRule, { size, numHeads });
    const isOwn = new.target === MultiHeadAttention;
    const own = constructorOptions("MultiHeadAttention", isOwn, options, attentionRules);
    const { queryInputSize = size, keyInputSize = size, bias = false } = own;
    const { valueInputSize = keyInputSize, valueSize = size, valueOutputSize = size } = own;
    for (const [name, features] of Object.entries({ size, valueSize })) {
      if (features % numHeads === 0) continue;
      const detail = `${name} is a multiple of numHeads: ${features} features cannot be split among ${numHeads} heads`;
      throw new ArgumentError("MultiHeadAttention", detail);
    }
    this.numHeads = numHeads;
    this.queryProj = new Linear(queryInputSize, size, { bias });
    this.keyProj = new Linear(keyInputSize, size, { bias });
    this.valueProj = new Linear(valueInputSize, valueSize, { bias });
    this.outProj = new Linear(valueSize, valueOutputSize, { bias });
  }

  /**
   * @param queries [batch, queries, features]
   * @param keys [batch, keys, features]
   * @param values [batch, keys, features]
   * @returns [batch, queries, features]
   */
  forward(queries: MLXArray, keys: MLXArray, values: MLXArray, mask: AttentionMask = null): MLXArray {
    const q = this.#heads(this.queryProj(queries)); // [batch, heads, queries, features / heads]
    const k = this.#heads(this.keyProj(keys));
    const v = this.#heads(this.valueProj(values));
    const scale = Math.sqrt(1 / (q.shape.at(-1) ?? 1));
    const attended = transpose(scaledDotProductAttention(q, k, v, { scale, mask }), [0, 2, 1, 3]);
    return this.outProj(flatten(attended, -2));
  }

  #heads(x: MLXArray): MLXArray {
    const split = reshape(x, [...x.shape.slice(0, -1), this.numHeads, (x.shape.at(-1) ?? 0) / this.numHeads]);
    return transpose(split, [0, 2, 1, 3]);
  }

  /**
   * A mask to add to attention scores, [length, length]: 0 where a query (row) sees a key (column) up to its own place, the
   * least finite number elsewhere.
   */
  static createAdditiveCausalMask(length: number, dtype: Dtype = "float32"): MLXArray {
    const hidden = less(iota([length, length], 0, "int32"), iota([length, length], 1, "int32"));
    return castTo(where(hidden, constant(-greatestFinite(dtype), dtype), constant(0, dtype)), dtype);
  }

  override describeExtra(): string {
    return `${this.numHeads} heads`;
  }
}

/** The options of `TransformerEncoderLayer` and `TransformerDecoderLayer`. */
export interface TransformerLayerOptions {
  /** The size between the two linear layers; 4 times the features unless given. */
  readonly hiddenSize?: number | undefined;
  /** The probability of dropout; 0 unless given. */
  readonly dropout?: number | undefined;
  /** `relu` unless given. */
  readonly activation?: ((x: MLXArray) => MLXArray) | undefined;
  /** Whether to normalize before attention and linear layers, and not after them; true unless given. */
  readonly normFirst?: boolean | undefined;
}

const layerRules: Rules<TransformerLayerOptions> = {
  hiddenSize: sizeRule,
  dropout: partialShare,
  activation: callable,
  normFirst: flag,
};

/**
 * Self-attention, then two linear layers, each beside a shortcut. Source: Vaswani et al. 2017; Xiong et al. 2020.
 *
 * @example
 * const layer = new nn.TransformerEncoderLayer(8, 2, { hiddenSize: 16 });
 * layer(zeros([1, 5, 8]), "causal").shape; // [1, 5, 8]
 * layer.linear1.weight.shape; // [16, 8]
 */
export class TransformerEncoderLayer extends Module {
  static override readonly name: string = "TransformerEncoderLayer";

  attention: MultiHeadAttention;
  ln1: LayerNorm;
  ln2: LayerNorm;
  linear1: Linear;
  linear2: Linear;
  dropout1: Dropout;
  dropout2: Dropout;
  readonly activation: (x: MLXArray) => MLXArray;
  readonly normFirst: boolean;

  constructor(size: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super();
    const own = constructorOptions(
      "TransformerEncoderLayer",
      new.target === TransformerEncoderLayer,
      options,
      layerRules,
    );
    const { hiddenSize = 4 * size, dropout = 0, activation = relu, normFirst = true } = own;
    this.attention = new MultiHeadAttention(size, numHeads);
    this.ln1 = new LayerNorm(size);
    this.ln2 = new LayerNorm(size);
    this.linear1 = new Linear(size, hiddenSize);
    this.linear2 = new Linear(hiddenSize, size);
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.activation = activation;
    this.normFirst = normFirst;
  }

  /** [batch, rows, size] → the same. */
  forward(x: MLXArray, mask: AttentionMask = null): MLXArray {
    if (this.normFirst) {
      const attended = add(x, this.#attend(this.ln1(x), mask));
      return add(attended, this.#transform(this.ln2(attended)));
    }
    const attended = this.ln1(add(x, this.#attend(x, mask)));
    return this.ln2(add(attended, this.#transform(attended)));
  }

  #attend(x: MLXArray, mask: AttentionMask): MLXArray {
    return this.dropout1(this.attention(x, x, x, mask));
  }

  #transform(x: MLXArray): MLXArray {
    return this.linear2(this.dropout2(this.activation(this.linear1(x))));
  }
}

/**
 * Encoder layers in a row, then a normalization.
 *
 * @example
 * const encoder = new nn.TransformerEncoder(2, 8, 4);
 * encoder(zeros([1, 5, 8])).shape; // [1, 5, 8]
 * encoder.layers.length; // 2
 */
export class TransformerEncoder extends Module {
  static override readonly name: string = "TransformerEncoder";

  layers: TransformerEncoderLayer[];
  ln: LayerNorm;

  constructor(numLayers: number, size: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super();
    requireValues("TransformerEncoder", count, { numLayers });
    const own = constructorOptions("TransformerEncoder", new.target === TransformerEncoder, options, layerRules);
    this.layers = Array.from({ length: numLayers }, () => new TransformerEncoderLayer(size, numHeads, own));
    this.ln = new LayerNorm(size);
  }

  /** [batch, rows, size] → the same. */
  forward(x: MLXArray, mask: AttentionMask = null): MLXArray {
    return this.ln(this.layers.reduce((value, layer) => layer(value, mask), x));
  }
}

/**
 * Attention to itself, then to the memory of an encoder, then two linear layers, each beside a shortcut. Source: Vaswani et al. 2017.
 *
 * @example
 * const layer = new nn.TransformerDecoderLayer(8, 2);
 * layer(zeros([1, 3, 8]), zeros([1, 5, 8]), "causal").shape; // [1, 3, 8]
 */
export class TransformerDecoderLayer extends Module {
  static override readonly name: string = "TransformerDecoderLayer";

  selfAttention: MultiHeadAttention;
  crossAttention: MultiHeadAttention;
  ln1: LayerNorm;
  ln2: LayerNorm;
  ln3: LayerNorm;
  linear1: Linear;
  linear2: Linear;
  dropout1: Dropout;
  dropout2: Dropout;
  dropout3: Dropout;
  readonly activation: (x: MLXArray) => MLXArray;
  readonly normFirst: boolean;

  constructor(size: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super();
    const own = constructorOptions(
      "TransformerDecoderLayer",
      new.target === TransformerDecoderLayer,
      options,
      layerRules,
    );
    const { hiddenSize = 4 * size, dropout = 0, activation = relu, normFirst = true } = own;
    this.selfAttention = new MultiHeadAttention(size, numHeads);
    this.crossAttention = new MultiHeadAttention(size, numHeads);
    this.ln1 = new LayerNorm(size);
    this.ln2 = new LayerNorm(size);
    this.ln3 = new LayerNorm(size);
    this.linear1 = new Linear(size, hiddenSize);
    this.linear2 = new Linear(hiddenSize, size);
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.activation = activation;
    this.normFirst = normFirst;
  }

  /** [batch, rows, size] with a memory [batch, keys, size] → [batch, rows, size]. */
  forward(x: MLXArray, memory: MLXArray, mask: AttentionMask = null, memoryMask: AttentionMask = null): MLXArray {
    const own = (y: MLXArray): MLXArray => this.dropout1(this.selfAttention(y, y, y, mask));
    const cross = (y: MLXArray): MLXArray => this.dropout2(this.crossAttention(y, memory, memory, memoryMask));
    const transform = (y: MLXArray): MLXArray => this.linear2(this.dropout3(this.activation(this.linear1(y))));
    if (this.normFirst) {
      const seen = add(x, own(this.ln1(x)));
      const told = add(seen, cross(this.ln2(seen)));
      return add(told, transform(this.ln3(told)));
    }
    const seen = this.ln1(add(x, own(x)));
    const told = this.ln2(add(seen, cross(seen)));
    return this.ln3(add(told, transform(told)));
  }
}

/**
 * Decoder layers in a row, then a normalization.
 *
 * @example
 * const decoder = new nn.TransformerDecoder(2, 8, 4, { dropout: 0.1 });
 * decoder(zeros([1, 3, 8]), zeros([1, 5, 8]), "causal").shape; // [1, 3, 8]
 */
export class TransformerDecoder extends Module {
  static override readonly name: string = "TransformerDecoder";

  layers: TransformerDecoderLayer[];
  ln: LayerNorm;

  constructor(numLayers: number, size: number, numHeads: number, options: TransformerLayerOptions = {}) {
    super();
    requireValues("TransformerDecoder", count, { numLayers });
    const own = constructorOptions("TransformerDecoder", new.target === TransformerDecoder, options, layerRules);
    this.layers = Array.from({ length: numLayers }, () => new TransformerDecoderLayer(size, numHeads, own));
    this.ln = new LayerNorm(size);
  }

  /** [batch, rows, size] with a memory [batch, keys, size] → [batch, rows, size]. */
  forward(x: MLXArray, memory: MLXArray, mask: AttentionMask = null, memoryMask: AttentionMask = null): MLXArray {
    return this.ln(this.layers.reduce((value, layer) => layer(value, memory, mask, memoryMask), x));
  }
}

/** The options of `Transformer`. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** 6 unless given. */
  readonly numEncoderLayers?: number | undefined;
  /** 6 unless given. */
  readonly numDecoderLayers?: number | undefined;
}

/**
 * An encoder, and a decoder that reads what it makes of the source. Source: Vaswani et al. 2017.
 *
 * @example
 * const model = new nn.Transformer(8, 2, { numEncoderLayers: 1, numDecoderLayers: 1 });
 * model(zeros([1, 5, 8]), zeros([1, 3, 8]), null, "causal").shape; // [1, 3, 8]
 */
export class Transformer extends Module {
  static override readonly name: string = "Transformer";

  encoder: TransformerEncoder;
  decoder: TransformerDecoder;

  constructor(size = 512, numHeads = 8, options: TransformerOptions = {}) {
    super();
    const rules = { ...layerRules, numEncoderLayers: count, numDecoderLayers: count };
    const own = constructorOptions("Transformer", new.target === Transformer, options, rules);
    const { numEncoderLayers = 6, numDecoderLayers = 6, ...layers } = own;
    this.encoder = new TransformerEncoder(numEncoderLayers, size, numHeads, layers);
    this.decoder = new TransformerDecoder(numDecoderLayers, size, numHeads, layers);
  }

  /** Source [batch, keys, size] and target [batch, rows, size] → [batch, rows, size]. */
  forward(
    source: MLXArray,
    target: MLXArray,
    sourceMask: AttentionMask = null,
    targetMask: AttentionMask = null,
    memoryMask: AttentionMask = null,
  ): MLXArray {
    return this.decoder(target, this.encoder(source, sourceMask), targetMask, memoryMask);
  }
}
