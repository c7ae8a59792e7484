/** Where the laws work: arrays of given elements on the reference backend, and their elements back. */
/// <reference types="vite/client" />

import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { carrierOf, dtypes, isBigInteger, isFloating, kindOf } from "../../src/base/dtype.ts";
import { elementsOf, readElement } from "../../src/base/elements.ts";
import type { Shape } from "../../src/base/shape.ts";
import { sizeOf } from "../../src/base/shape.ts";
import type { MLXArray } from "../../src/graph/mlx-array.ts";
import type { Primitive } from "../../src/graph/primitive.ts";
import type { Backend } from "../../src/ir/backend.ts";
import { fromAllocation } from "../../src/primitives/leaf.ts";

/** One input of a law case. */
export interface InputSpec {
  readonly shape: Shape;
  /** float64 unless given. */
  readonly dtype?: Dtype;
  /** Elements lie between these; -1 and 1 unless given. */
  readonly domain?: readonly [number, number];
  /** The elements themselves, row-major. */
  readonly values?: readonly number[];
  /** Elements are apart by at least this much, so that none changes places with another. */
  readonly spacing?: number;
}

/** Numbers between 0 and 1, the same ones for the same seed. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed % 2147483646) + 1;
  }
  next(): number {
    this.#state = (this.#state * 48271) % 2147483647;
    return this.#state / 2147483647;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }
  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }
}

/** The elements of an input, drawn as its spec says. */
export function draw(spec: InputSpec, random: Random): number[] {
  if (spec.values) return [...spec.values];
  const size = sizeOf(spec.shape);
  const dtype = spec.dtype ?? "float64";
  const [low, high] = spec.domain ?? [-1, 1];
  if (dtype === "bool") return Array.from({ length: size }, () => random.whole(0, 1));
  if (!isFloating(dtype)) {
    const least = kindOf(dtype) === "unsigned" ? Math.max(low, 0) : low;
    return Array.from({ length: size }, () => random.whole(Math.ceil(least), Math.floor(high)));
  }
  const values = Array.from({ length: size }, () => random.between(low, high));
  if (spec.spacing === undefined) return values;
  const order = values.map((_, k) => k).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  order.forEach((place, rank) => {
    values[place] = low + ((high - low) * (rank + 0.25 + 0.5 * random.next())) / Math.max(size, 1);
  });
  return values;
}

/** A place to evaluate graphs. */
export class Bench {
  readonly runtime: Runtime;

  constructor(backend: Backend = new ReferenceBackend(), fusion = true) {
    this.runtime = new Runtime(backend, { fusion });
  }

  array(values: readonly number[], shape: Shape, dtype: Dtype = "float64"): MLXArray {
    const scalars = isBigInteger(dtype) ? values.map((value) => BigInt(Math.trunc(value))) : values;
    return fromAllocation(this.runtime.backend.upload(elementsOf(dtype, scalars)), { shape, dtype });
  }

  /** The elements of several arrays, computed together. */
  async read(arrays: readonly MLXArray[]): Promise<number[][]> {
    const pending = [...new Set(arrays)].filter((array) => !array.isEvaluated);
    if (pending.length > 0) await this.runtime.evaluate(pending);
    return Promise.all(arrays.map(numbersOf));
  }

  async readOne(array: MLXArray): Promise<number[]> {
    const [values = []] = await this.read([array]);
    return values;
  }
}

async function numbersOf(array: MLXArray): Promise<number[]> {
  const { lowering } = array.primitive;
  if (!array.allocation) {
    return lowering.kind === "constant" ? [Number(lowering.value(array.params))] : [];
  }
  return array.allocation.read(({ buffer, byteOffset }) => {
    const elements: TypedArray = new (carrierOf(array.dtype))(buffer, byteOffset, array.size);
    return Array.from({ length: array.size }, (_, k) => Number(readElement(elements, k, array.dtype)));
  });
}

function isPrimitive(value: unknown): value is Primitive {
  return (
    typeof value === "object" && value !== null && "lowering" in value && "derivative" in value && "batch" in value
  );
}

/** Every row in src, by the file and name of its export. */
export function allRows(): Map<string, Primitive> {
  const modules: Record<string, Record<string, unknown>> = {
    ...import.meta.glob<Record<string, unknown>>("../../src/primitives/*.ts", { eager: true }),
    ...import.meta.glob<Record<string, unknown>>("../../src/transforms/*.ts", { eager: true }),
    ...import.meta.glob<Record<string, unknown>>("../../src/array/trace.ts", { eager: true }),
  };
  const rows = new Map<string, Primitive>();
  for (const module of Object.values(modules)) {
    for (const [name, value] of Object.entries(module)) if (isPrimitive(value)) rows.set(name, value);
  }
  return rows;
}

/** Every dtype. */
export { dtypes };
