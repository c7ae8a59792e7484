/** Threefry-2x32: random bits as a function of a key and a position, the same as MLX's. */
import type { Dtype } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Expr, Expressions } from "../ir/expr.ts";
import { batchToFront, only } from "./families.ts";

interface BitsParams {
  readonly shape: Shape;
  /** Bytes per element: 1, 2 or 4. */
  readonly width: number;
}

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];
const parity = 0x1bd11bda;

/** Random bits of `shape` for each key along the last axis of the input. */
export const randomBitsRow: Primitive<BitsParams> = {
  name: "randomBits",
  aval([key], { shape, width }) {
    const keys = only("randomBits", key);
    const dtype: Dtype = width === 1 ? "uint8" : width === 2 ? "uint16" : "uint32";
    return { shape: [...keys.shape.slice(0, -1), ...shape], dtype };
  },
  lowering: {
    kind: "map",
    element({ e, index, read, params, inputs, output }) {
      const keyAxes = only("randomBits", inputs[0]).shape.length - 1;
      const whose = index.slice(0, keyAxes);
      const words = Math.ceil((sizeOf(params.shape) * params.width) / 4);
      const perWord = 4 / params.width;
      const flat = e.ravel(index.slice(keyAxes), params.shape);
      const word = e.floorDivide(flat, perWord);
      const key = [e.index(0), e.index(1)].map((at) => read(0, [...whose, at]));
      const bits = wordAt(e, key, word, words);
      if (perWord === 1) return bits;
      const shift = e.cast(e.scale(e.floorModulo(flat, perWord), params.width * 8), "uint32");
      return e.cast(e.binary("shr", bits, shift), output.dtype);
    },
  },
  derivative: { kind: "none", because: "random bits do not depend smoothly on the key", isZero: true },
  batch([key], [axis], params) {
    return [apply(randomBitsRow, [batchToFront(only("randomBits", key), axis ?? 0)], params), 0];
  },
};

/** Bits for each key of `key`, [..., 2]. @throws {ShapeError} if that is no key */
export function randomBits(key: MLXArray, shape: Shape, width = 4): MLXArray {
  if (key.dtype !== "uint32" || key.shape.at(-1) !== 2) {
    throw new ShapeError(
      "random",
      `a key is uint32 of shape [2], got ${key.dtype} ${formatShape(key.shape)}; make one with random.key(seed)`,
    );
  }
  return apply(randomBitsRow, [key], { shape, width });
}

/** Word `word` of `words`: both halves come from one hash of a pair of positions, an odd middle word from its own. */
function wordAt(e: Expressions, key: readonly Expr[], word: Expr, words: number): Expr {
  const half = Math.floor(words / 2);
  const odd = words % 2;
  const isFirst = e.lt(word, e.index(half + odd));
  const low = e.select(isFirst, word, e.scale(word, 1, -(half + odd)));
  const partner = e.select(isFirst, e.scale(word, 1, half + odd), word);
  const high = odd === 1 ? e.select(e.eq(word, e.index(half)), e.index(0), partner) : partner;
  const [first, second] = threefry(e, key, e.cast(low, "uint32"), e.cast(high, "uint32"));
  return e.select(isFirst, first, second);
}

function threefry(e: Expressions, [k0, k1]: readonly Expr[], c0: Expr, c1: Expr): readonly [Expr, Expr] {
  const a = only("threefry", k0);
  const b = only("threefry", k1);
  const keys = [a, b, e.binary("xor", e.binary("xor", a, b), e.constant(parity, "uint32"))];
  let x = e.add(c0, a);
  let y = e.add(c1, b);
  for (let round = 0; round < 5; round++) {
    for (const rotation of rotations[round % 2] ?? []) {
      x = e.add(x, y);
      const left = e.binary("shl", y, e.constant(rotation, "uint32"));
      y = e.binary("xor", e.or(left, e.binary("shr", y, e.constant(32 - rotation, "uint32"))), x);
    }
    x = e.add(x, only("threefry", keys[(round + 1) % 3]));
    y = e.add(e.add(y, only("threefry", keys[(round + 2) % 3])), e.constant(round + 1, "uint32"));
  }
  return [x, y];
}

/** The hash on the host: two words from a key and a pair of positions. */
export function threefryWords(key: readonly [number, number], c0: number, c1: number): [number, number] {
  const keys = [key[0], key[1], key[0] ^ key[1] ^ parity];
  let x = (c0 + key[0]) | 0;
  let y = (c1 + key[1]) | 0;
  for (let round = 0; round < 5; round++) {
    for (const rotation of rotations[round % 2] ?? []) {
      x = (x + y) | 0;
      y = ((y << rotation) | (y >>> (32 - rotation))) ^ x;
    }
    x = (x + (keys[(round + 1) % 3] ?? 0)) | 0;
    y = (y + (keys[(round + 2) % 3] ?? 0) + round + 1) | 0;
  }
  return [x >>> 0, y >>> 0];
}
