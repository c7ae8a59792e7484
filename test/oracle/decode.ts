/** Turns recorded arguments into ours: arrays with their views, numbers that JSON cannot hold, lists, dictionaries. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { carrierOf } from "../../src/base/dtype.ts";
import type { Elements } from "./compare.ts";
import type { Encoded, EncodedArray, InputReference, Shard, SpelledNumber } from "./recorded-shards.ts";

/** A decoded argument. */
export type Argument =
  | MLXArray
  | number
  | bigint
  | boolean
  | string
  | null
  | readonly Argument[]
  | { readonly [name: string]: Argument };

/** Whether a recorded value is an array. */
export function isEncodedArray(value: Encoded): value is EncodedArray {
  return typeof value === "object" && value !== null && "d" in value && "b" in value;
}

/** Whether a recorded value names an input. */
export function isReference(value: Encoded): value is InputReference {
  return typeof value === "object" && value !== null && "$" in value;
}

/** Whether a recorded value is a spelled number. */
export function isSpelled(value: Encoded): value is SpelledNumber {
  return typeof value === "object" && value !== null && "n" in value;
}

/** Whether a recorded value is a dictionary. */
export function isDictionary(value: Encoded): value is { readonly dict: { readonly [name: string]: Encoded } } {
  return typeof value === "object" && value !== null && "dict" in value;
}

/** Whether a recorded value is a list. */
export function isList(value: Encoded): value is readonly Encoded[] {
  return Array.isArray(value);
}

/** The elements of a recorded array. */
export function elementsOf(encoded: EncodedArray): Elements {
  return { dtype: encoded.d, shape: encoded.s, data: bytesOf(encoded.b, encoded.d) };
}

/** A recorded argument as ours. */
export function decode(shard: Shard, value: Encoded): Argument {
  if (value === null || typeof value !== "object") return value;
  if (isList(value)) return value.map((item) => decode(shard, item));
  if (isReference(value)) return inputOf(shard, value);
  if (isSpelled(value)) return numberOf(value);
  if (isDictionary(value)) return decodeEach(shard, value.dict);
  if (isEncodedArray(value)) return arrayOf(elementsOf(value));
  return {};
}

/** Each value of a recorded dictionary as ours. */
export function decodeEach(
  shard: Shard,
  values: { readonly [name: string]: Encoded } = {},
): { readonly [name: string]: Argument } {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, decode(shard, value)]));
}

/** An input of the pool under its views. */
export function inputOf(shard: Shard, reference: InputReference): MLXArray {
  const encoded = shard.inputs[reference.$];
  if (encoded === undefined) throw new Error(`${shard.area} has no input ${reference.$}`);
  return (reference.t ?? []).reduce(viewed, arrayOf(elementsOf(encoded)));
}

function viewed(x: MLXArray, step: string): MLXArray {
  const [name = "", rest = ""] = step.split(/ (.*)/s);
  switch (name) {
    case "T":
      return mx.transpose(x);
    case "permute":
      return mx.transpose(x, rest.split(",").map(Number));
    case "broadcast":
      return mx.broadcastTo(x, rest.split(",").map(Number));
    case "at":
      return x.get(rest);
    default:
      throw new Error(`no view is called ${name}`);
  }
}

function arrayOf({ dtype, shape, data }: Elements): MLXArray {
  return mx.reshape(mx.array(data, dtype), shape);
}

function numberOf({ n }: SpelledNumber): number | bigint {
  switch (n) {
    case "nan":
      return Number.NaN;
    case "inf":
      return Number.POSITIVE_INFINITY;
    case "-inf":
      return Number.NEGATIVE_INFINITY;
    case "-0":
      return -0;
    default:
      return BigInt(n);
  }
}

function bytesOf(base64: string, dtype: Dtype): TypedArray {
  const text = atob(base64);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const carrier = carrierOf(dtype);
  return new carrier(bytes.buffer, 0, bytes.length / new carrier(0).BYTES_PER_ELEMENT);
}
