/** Einstein summation: sums of products over named axes, as matrix products where two operands share what is summed. */
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { multiply } from "./arithmetic.ts";
import { matmul } from "./contraction.ts";
import { diagonal } from "./diagonals.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray, promoted } from "./operands.ts";
import { sum } from "./reductions.ts";
import { broadcastTo, reshape, transpose } from "./views.ts";

/** An array whose axes have names. */
interface Named {
  readonly array: MLXArray;
  readonly names: readonly string[];
}

type Lengths = ReadonlyMap<string, number>;

/**
 * The sum of products that `subscripts` describe: a letter for each axis of each operand, and after `->` those that remain.
 * A letter that is left out is summed over; one that is repeated within an operand takes its diagonal; `...` stands for
 * leading axes that broadcast. Without `->` the letters that occur once remain, in alphabetical order.
 *
 * Operands are multiplied in pairs, the pair with the smallest result first.
 *
 * @throws {ArgumentError} if the subscripts do not fit the operands
 * @throws {ShapeError} if axes of one letter have different lengths
 * @example
 * const a = array([[1, 2], [3, 4]]);
 * await einsum("ij,jk->ik", a, a).tolist(); // [[7, 10], [15, 22]]
 * await einsum("ii->", a).item(); // 5
 */
export function einsum(subscripts: string, ...operands: readonly ArrayLike[]): MLXArray {
  const arrays = operands.map((operand) => asArray("einsum", operand));
  const { inputs, output } = parse(subscripts, arrays);
  let terms = arrays.map((array, k): Named => withoutRepeats({ array, names: inputs[k] ?? [] }));
  const lengths = lengthsOf(subscripts, terms);
  for (;;) {
    terms = terms.map((term, k) => summedTo(term, neededBy(terms, output, k)));
    const [first, second] = terms;
    if (!first) throw new ArgumentError("einsum", "needs an operand");
    if (!second) return ordered(first, output, lengths);
    const [i, j] = cheapestPair(terms, output, lengths);
    const [left = first, right = second] = [terms[i], terms[j]];
    const kept = neededBy(terms, output, i, j);
    terms = [...terms.filter((_, k) => k !== i && k !== j), contracted(left, right, kept, lengths)];
  }
}

function parse(
  subscripts: string,
  arrays: readonly MLXArray[],
): { readonly inputs: readonly (readonly string[])[]; readonly output: readonly string[] } {
  const [left = "", right, ...more] = subscripts.replaceAll(" ", "").split("->");
  const texts = left.split(",");
  if (more.length > 0 || texts.length !== arrays.length) {
    throw new ArgumentError("einsum", `"${subscripts}" describes ${texts.length} operands, got ${arrays.length}`);
  }
  const inputs = texts.map((text, k) => axisNames(subscripts, text, arrays[k]?.ndim ?? 0));
  const ellipsis = Math.max(0, ...inputs.map((names) => names.filter(isUnnamed).length));
  if (right !== undefined) {
    const output = axisNames(subscripts, right, right.replace("...", "").length + ellipsis);
    const stray = output.find((name, k) => output.indexOf(name) !== k || !inputs.some((names) => names.includes(name)));
    if (stray === undefined) return { inputs, output };
    throw new ArgumentError("einsum", `"${stray}" of the output in "${subscripts}" is repeated or in no operand`);
  }
  const all = inputs.flat();
  const once = [...new Set(all)].filter((name) => isUnnamed(name) || all.indexOf(name) === all.lastIndexOf(name));
  return { inputs, output: once.sort() };
}

/** A name for each of `rank` axes; those that `...` stands for are called "-1", "-2", … from the last one. */
function axisNames(subscripts: string, text: string, rank: number): string[] {
  const [before = "", after, ...more] = text.split("...");
  const letters = `${before}${after ?? ""}`;
  const unnamed = rank - letters.length;
  const isGood =
    /^[a-zA-Z]*$/.test(letters) && more.length === 0 && (after === undefined ? unnamed === 0 : unnamed >= 0);
  if (!isGood)
    throw new ArgumentError(
      "einsum",
      `"${text}" in "${subscripts}" does not name the axes of an array of ${rank} axes`,
    );
  return [...before, ...Array.from({ length: unnamed }, (_, k) => String(k - unnamed)), ...(after ?? "")];
}

function isUnnamed(name: string): boolean {
  return name.startsWith("-");
}

/** Axes of one name within an operand become their diagonal. */
function withoutRepeats(term: Named): Named {
  const repeated = term.names.find((name, k) => term.names.indexOf(name) !== k);
  if (repeated === undefined) return term;
  const [first, second] = [term.names.indexOf(repeated), term.names.lastIndexOf(repeated)];
  const { shape } = term.array;
  if (shape[first] !== shape[second]) {
    throw new ShapeError("einsum", `axes "${repeated}" of ${formatShape(shape)} have different lengths`);
  }
  const names = term.names.filter((_, k) => k !== first && k !== second);
  return withoutRepeats({ array: diagonal(term.array, { axis1: first, axis2: second }), names: [...names, repeated] });
}

function lengthsOf(subscripts: string, terms: readonly Named[]): Lengths {
  const lengths = new Map<string, number>();
  for (const { array, names } of terms) {
    names.forEach((name, k) => {
      const length = array.shape[k] ?? 1;
      const known = lengths.get(name) ?? 1;
      if (known !== 1 && length !== 1 && known !== length) {
        throw new ShapeError("einsum", `"${name}" in "${subscripts}" has lengths ${known} and ${length}`);
      }
      lengths.set(name, known === 1 ? length : known);
    });
  }
  return lengths;
}

/** The names in the output or in any term but those at `skipped`. */
function neededBy(
  terms: readonly Named[],
  output: readonly string[],
  ...skipped: readonly number[]
): ReadonlySet<string> {
  return new Set([...output, ...terms.flatMap(({ names }, k) => (skipped.includes(k) ? [] : names))]);
}

function summedTo({ array, names }: Named, needed: ReadonlySet<string>): Named {
  const axes = names.flatMap((name, k) => (needed.has(name) ? [] : [k]));
  return axes.length === 0
    ? { array, names }
    : { array: sum(array, axes), names: names.filter((name) => needed.has(name)) };
}

/** The two terms whose product is smallest. */
function cheapestPair(terms: readonly Named[], output: readonly string[], lengths: Lengths): readonly [number, number] {
  let best: readonly [number, number] = [0, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < terms.length; i++) {
    for (let j = i + 1; j < terms.length; j++) {
      const needed = neededBy(terms, output, i, j);
      const names = new Set(
        [...(terms[i]?.names ?? []), ...(terms[j]?.names ?? [])].filter((name) => needed.has(name)),
      );
      const size = sizeOf(shapeOf([...names], lengths));
      if (size < least) [best, least] = [[i, j], size];
    }
  }
  return best;
}

function shapeOf(names: readonly string[], lengths: Lengths): number[] {
  return names.map((name) => lengths.get(name) ?? 1);
}

/** The product of two terms, summed over the names that are not kept. */
function contracted(left: Named, right: Named, kept: ReadonlySet<string>, lengths: Lengths): Named {
  const inBoth = left.names.filter((name) => right.names.includes(name));
  const batch = inBoth.filter((name) => kept.has(name));
  const summed = inBoth.filter((name) => !kept.has(name));
  const rows = left.names.filter((name) => !inBoth.includes(name));
  const columns = right.names.filter((name) => !inBoth.includes(name));
  const names = [...batch, ...rows, ...columns];
  const [a = left.array, b = right.array] = promoted("einsum", [left.array, right.array]);
  if (summed.length === 0 || rows.length + columns.length === 0 || !isFloating(a.dtype)) {
    const all = [...names, ...summed];
    const product = multiply(
      spreadOver({ array: a, names: left.names }, all),
      spreadOver({ array: b, names: right.names }, all),
    );
    const full = broadcastTo(product, shapeOf(all, lengths));
    return summedTo({ array: full, names: all }, new Set(names));
  }
  const shape = (...groups: readonly (readonly string[])[]): number[] =>
    groups.map((group) => sizeOf(shapeOf(group, lengths)));
  const x = ordered({ array: a, names: left.names }, [...batch, ...rows, ...summed], lengths);
  const y = ordered({ array: b, names: right.names }, [...batch, ...summed, ...columns], lengths);
  const product = matmul(reshape(x, shape(batch, rows, summed)), reshape(y, shape(batch, summed, columns)));
  return { array: reshape(product, shapeOf(names, lengths)), names };
}

/** `term` with its axes in the order of `names`, of length 1 where it has none. */
function spreadOver(term: Named, names: readonly string[]): MLXArray {
  const own = names.filter((name) => term.names.includes(name));
  const array = transpose(
    term.array,
    own.map((name) => term.names.indexOf(name)),
  );
  return reshape(
    array,
    names.map((name) => term.array.shape[term.names.indexOf(name)] ?? 1),
  );
}

/** `term` with exactly the axes `names`, at their full lengths. */
function ordered(term: Named, names: readonly string[], lengths: Lengths): MLXArray {
  return broadcastTo(spreadOver(term, names), shapeOf(names, lengths));
}
