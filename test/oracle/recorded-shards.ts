/** The recorded files and the form of what they hold. */
import type { Dtype } from "../../src/base/dtype.ts";
import activations from "./recorded/activations.json?raw";
import binary from "./recorded/binary.json?raw";
import creation from "./recorded/creation.json?raw";
import fast from "./recorded/fast.json?raw";
import indexing from "./recorded/indexing.json?raw";
import layers from "./recorded/layers.json?raw";
import linalg from "./recorded/linalg.json?raw";
import linear from "./recorded/linear.json?raw";
import losses from "./recorded/losses.json?raw";
import optimizers from "./recorded/optimizers.json?raw";
import printing from "./recorded/printing.json?raw";
import promotion from "./recorded/promotion.json?raw";
import quantization from "./recorded/quantization.json?raw";
import random from "./recorded/random.json?raw";
import reduction from "./recorded/reduction.json?raw";
import scan from "./recorded/scan.json?raw";
import shape from "./recorded/shape.json?raw";
import sorting from "./recorded/sorting.json?raw";
import transforms from "./recorded/transforms.json?raw";
import unary from "./recorded/unary.json?raw";

/** An array as recorded: dtype, shape, base64 of its little-endian elements in row-major order. */
export interface EncodedArray {
  readonly d: Dtype;
  readonly s: readonly number[];
  readonly b: string;
}

/** An entry of a shard's pool of inputs, seen through the views `t`. */
export interface InputReference {
  readonly $: string;
  readonly t?: readonly string[];
}

/** A number that JSON cannot hold: `nan`, `inf`, `-inf`, `-0`, or a whole number beyond 2⁵³. */
export interface SpelledNumber {
  readonly n: string;
}

/** An argument or an expected value as recorded. */
export type Encoded =
  | null
  | boolean
  | number
  | string
  | EncodedArray
  | InputReference
  | SpelledNumber
  | { readonly dict: { readonly [name: string]: Encoded } }
  | readonly Encoded[];

/** One call of one function, and what MLX gave. */
export interface OracleCase {
  /** Our function: `sum`, `nn.relu`, `random.uniform`, `layer.Linear` (a module), `optim.Adam`, `program.rosenbrock`. */
  readonly f: string;
  readonly args: readonly Encoded[];
  readonly options?: { readonly [name: string]: Encoded };
  readonly out: Encoded;
  /** The true value where MLX is off it. */
  readonly exact?: EncodedArray;
  /** Units in the last place to allow, beside tolerances.ts. */
  readonly ulp?: number;
  /** An absolute error to allow. */
  readonly tolerance?: number;
  /** `out` is the gradients with respect to the arguments `wrt`. */
  readonly vjp?: { readonly wrt: readonly number[]; readonly cotangent: InputReference };
  /** `out` is the tangents of the outputs. */
  readonly jvp?: { readonly tangents: readonly InputReference[] };
  readonly vmap?: { readonly inAxes: readonly (number | null)[]; readonly outAxes: number };
  /** `out` is [value, gradients with respect to these arguments]. */
  readonly valueAndGrad?: readonly number[];
  /** What to compare instead of the value: `sorted` along the axis, or a partition's sorted elements. */
  readonly property?: "sorted" | "partition" | "argPartition";
  /** The function that makes the array to print. */
  readonly of?: string;
  /** Of a module: its parameters, inputs and mode. Of an optimizer: its parameters. */
  readonly parameters?: { readonly [path: string]: InputReference };
  readonly inputs?: readonly Encoded[];
  readonly training?: boolean;
  /** Of an optimizer: its gradients; of a schedule: the steps asked about. */
  readonly steps?: readonly ({ readonly [path: string]: InputReference } | number)[];
}

/** One recorded file. */
export interface Shard {
  readonly area: string;
  readonly mlx: string;
  readonly inputs: { readonly [key: string]: EncodedArray };
  readonly cases: readonly OracleCase[];
}

const texts = [
  creation,
  unary,
  binary,
  promotion,
  reduction,
  scan,
  shape,
  indexing,
  sorting,
  linear,
  random,
  printing,
  activations,
  losses,
  layers,
  optimizers,
  fast,
  transforms,
  quantization,
  linalg,
];

/** Every recorded file. */
export const shards: readonly Shard[] = texts.map(parseShard);

function parseShard(text: string): Shard {
  const shard: Shard = JSON.parse(text);
  return shard;
}
