/** Einstein summation, reduced to transpositions, sums and matrix products. */
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { multiply } from "./arithmetic.ts";
import { matmul } from "./contraction.ts";
import { diagonal } from "./diagonals.ts";
import { promoted } from "./operands.ts";
import { sum } from "./reductions.ts";
import { broadcastTo, moveAxis, reshape, transpose } from "./views.ts";

/** An operand whose axes have names, each once. */
interface Named {
  readonly x: MLXArray;
  readonly labels: readonly string[];
}

/** Which operands are combined next, from their positions in the list; the result joins its end. */
type Path = readonly (readonly number[])[];

/**
 * The sum of products of the operands' elements over every label that the result does not have.
 *
 * `subscripts` names the axes: `"ij,jk->ik"` is a matrix product. A label twice in one operand is its diagonal, `...` stands for
 * any axes and broadcasts, and without `->` the result has the labels that occur once, in alphabetical order. Operands are
 * combined two by two, the pair with the smallest result first.
 *
 * @throws {ArgumentError} for subscripts that cannot be read, or of another number than the operands
 * @throws {ShapeError} if axes of one label have different lengths
 * @example
 * await einsum("ij,j->i", array([[1, 2], [3, 4]]), array([1, 1])).tolist(); // [3, 7]
 * await einsum("ii", array([[1, 2], [3, 4]])).item(); // 5
 */
export function einsum(subscripts: string, ...operands: readonly MLXArray[]): MLXArray {
  const { inputs, output } = parse(subscripts, operands);
  const lengths = lengthsOf(inputs, operands);
  let list = promoted("einsum", operands).map((x, k) => prepared(x, inputs[k] ?? [], lengths));
  for (const step of greedyPath(list, output, lengths)) {
    const chosen = step.map((place) => list[place]).filter((one) => one !== undefined);
    const others = list.filter((_, place) => !step.includes(place));
    const needed = new Set([...output, ...others.flatMap(({ labels }) => labels)]);
    const [a, b] = chosen.map((one) => reduced(one, new Set([...needed, ...otherLabels(chosen, one)])));
    if (a) list = [...others, b ? product(a, b, needed) : a];
  }
  const [last] = list;
  if (!last) throw new ArgumentError("einsum", "needs at least one operand");
  const { x, labels } = reduced(last, new Set(output));
  const present = output.filter((label) => labels.includes(label));
  const ordered = transpose(
    x,
    present.map((label) => labels.indexOf(label)),
  );
  // A label that only axes of length 1 carried was dropped.
  const lengthOf = (label: string): number => lengths.get(label) ?? 1;
  const spread = output.map((label) => (present.includes(label) ? lengthOf(label) : 1));
  return broadcastTo(reshape(ordered, spread), output.map(lengthOf));
}

/**
 * The order in which `einsum` combines its operands, as positions in the list of those left (a result joins its end), and the
 * number of multiplications that each step takes.
 *
 * @throws as `einsum`
 * @example
 * const [path] = einsumPath("ij,jk,kl->il", zeros([9, 9]), zeros([9, 9]), zeros([9, 1]));
 * path; // [[1, 2], [0, 1]]
 */
export function einsumPath(subscripts: string, ...operands: readonly MLXArray[]): [Path, readonly number[]] {
  const { inputs, output } = parse(subscripts, operands);
  const lengths = lengthsOf(inputs, operands);
  let list = operands.map((x, k) => prepared(x, inputs[k] ?? [], lengths)).map(({ labels }) => labels);
  const path = greedyPath(
    list.map((labels) => ({ labels })),
    output,
    lengths,
  );
  const costs = path.map((step) => {
    const chosen = step.flatMap((place) => list[place] ?? []);
    const others = list.filter((_, place) => !step.includes(place));
    list = [...others, resultLabels(chosen, others, output)];
    return extent(new Set(chosen), lengths);
  });
  return [path, costs];
}

function otherLabels(list: readonly Named[], one: Named): readonly string[] {
  return list.flatMap((other) => (other === one ? [] : other.labels));
}

function parse(
  subscripts: string,
  operands: readonly MLXArray[],
): { readonly inputs: readonly (readonly string[])[]; readonly output: readonly string[] } {
  const text = subscripts.replaceAll(/\s/g, "");
  if (!/^([A-Za-z]*(\.\.\.)?[A-Za-z]*)(,([A-Za-z]*(\.\.\.)?[A-Za-z]*))*(->[A-Za-z]*(\.\.\.)?[A-Za-z]*)?$/.test(text)) {
    throw new ArgumentError("einsum", `"${subscripts}" is no list of labels such as "ij,jk->ik"`);
  }
  const [left = "", right] = text.split("->");
  const terms = left.split(",");
  if (terms.length !== operands.length) {
    throw new ArgumentError("einsum", `"${subscripts}" is for ${terms.length} operands, got ${operands.length}`);
  }
  const extra = terms.map((term, k) => {
    const rank = operands[k]?.ndim ?? 0;
    const named = term.replace("...", "").length;
    if (named === rank || (named < rank && term.includes("..."))) return rank - named;
    throw new ShapeError(
      "einsum",
      `"${term}" of "${subscripts}" does not name the axes of ${formatShape(operands[k]?.shape ?? [])}`,
    );
  });
  // The axes under an ellipsis are numbered from the last, so that they broadcast.
  const numbered = (count: number): string[] => Array.from({ length: count }, (_, k) => String(count - 1 - k));
  const expand = (term: string, count: number): string[] => {
    const [before = "", after = ""] = term.split("...");
    return term.includes("...") ? [...before, ...numbered(count), ...after] : [...term];
  };
  const inputs = terms.map((term, k) => expand(term, extra[k] ?? 0));
  const most = Math.max(0, ...extra);
  if (right === undefined) {
    const all = terms.join("").replaceAll(".", "");
    const once = [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label));
    return { inputs, output: [...numbered(most), ...once.sort()] };
  }
  const output = expand(right, most);
  for (const label of output) {
    if (output.indexOf(label) === output.lastIndexOf(label) && inputs.some((labels) => labels.includes(label)))
      continue;
    throw new ArgumentError(
      "einsum",
      `label ${label} of the result of "${subscripts}" is no label of an operand, or twice there`,
    );
  }
  return { inputs, output };
}

function lengthsOf(inputs: readonly (readonly string[])[], operands: readonly MLXArray[]): Map<string, number> {
  const lengths = new Map<string, number>();
  inputs.forEach((labels, k) => {
    labels.forEach((label, axis) => {
      const length = operands[k]?.shape[axis] ?? 1;
      const known = lengths.get(label) ?? 1;
      if (known !== 1 && length !== 1 && known !== length) {
        throw new ShapeError("einsum", `label ${label} has length ${known} and, in operand ${k}, ${length}`);
      }
      lengths.set(label, known === 1 ? length : known);
    });
  });
  return lengths;
}

/** Labels made distinct by diagonals, axes of length 1 that another operand fills dropped. */
function prepared(x: MLXArray, given: readonly string[], lengths: ReadonlyMap<string, number>): Named {
  let result = x;
  let labels = given;
  for (const label of new Set(given)) {
    while (labels.indexOf(label) !== labels.lastIndexOf(label)) {
      const [axis1, axis2] = [labels.indexOf(label), labels.lastIndexOf(label)];
      result = moveAxis(diagonal(result, { axis1, axis2 }), -1, axis1);
      labels = labels.toSpliced(axis2, 1);
    }
  }
  const isKept = (label: string, axis: number): boolean => result.shape[axis] === lengths.get(label);
  const shape = result.shape.filter((_, axis) => isKept(labels[axis] ?? "", axis));
  return { x: reshape(result, shape), labels: labels.filter(isKept) };
}

/** `one` summed over the labels that are not needed any more. */
function reduced({ x, labels }: Named, needed: ReadonlySet<string>): Named {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  return axes.length === 0 ? { x, labels } : { x: sum(x, axes), labels: labels.filter((label) => needed.has(label)) };
}

/** The product of two operands, summed over the labels that are not needed any more. */
function product(a: Named, b: Named, needed: ReadonlySet<string>): Named {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const inner = shared.filter((label) => !needed.has(label));
  const rows = a.labels.filter((label) => !shared.includes(label));
  const columns = b.labels.filter((label) => !shared.includes(label));
  const labels = [...batch, ...rows, ...columns];
  const isMatrix = inner.length > 0 && rows.length + columns.length > 0 && isFloating(a.x.dtype);
  if (!isMatrix) {
    const all = [...labels, ...inner];
    return reduced({ x: multiply(arranged(a, all), arranged(b, all)), labels: all }, new Set(labels));
  }
  const left = grouped(a, batch, rows, inner);
  const right = grouped(b, batch, inner, columns);
  const shape = labels.map((label) => lengthIn(rows.includes(label) ? a : b, label));
  return { x: reshape(matmul(left, right), shape), labels };
}

/** The axes of an operand in the order of `labels`, with length 1 for those it does not have. */
function arranged({ x, labels }: Named, all: readonly string[]): MLXArray {
  const order = all.flatMap((label) => (labels.includes(label) ? [labels.indexOf(label)] : []));
  return reshape(
    transpose(x, order),
    all.map((label) => lengthIn({ x, labels }, label)),
  );
}

/** An operand as [batch…, first, second], each of the last two made of the axes of some labels. */
function grouped(one: Named, batch: readonly string[], first: readonly string[], second: readonly string[]): MLXArray {
  const lengths = (labels: readonly string[]): number[] => labels.map((label) => lengthIn(one, label));
  const shape = [...lengths(batch), sizeOf(lengths(first)), sizeOf(lengths(second))];
  return reshape(arranged(one, [...batch, ...first, ...second]), shape);
}

function lengthIn({ x, labels }: Named, label: string): number {
  const axis = labels.indexOf(label);
  return axis === -1 ? 1 : (x.shape[axis] ?? 1);
}

/** Pairs in the order of the size of what they leave, then of what they cost. */
function greedyPath(
  operands: readonly { readonly labels: readonly string[] }[],
  output: readonly string[],
  lengths: ReadonlyMap<string, number>,
): Path {
  let list = operands.map(({ labels }) => labels);
  if (list.length === 1) return [[0]];
  const path: (readonly number[])[] = [];
  while (list.length > 1) {
    let best: { readonly pair: readonly [number, number]; readonly size: number; readonly cost: number } | null = null;
    for (let a = 0; a < list.length; a++) {
      for (let b = a + 1; b < list.length; b++) {
        const labels = [...(list[a] ?? []), ...(list[b] ?? [])];
        const others = list.filter((_, k) => k !== a && k !== b);
        const size = extent(new Set(resultLabels(labels, others, output)), lengths);
        const cost = extent(new Set(labels), lengths);
        if (!best || size < best.size || (size === best.size && cost < best.cost)) best = { pair: [a, b], size, cost };
      }
    }
    if (!best) break;
    const [a, b] = best.pair;
    const others = list.filter((_, k) => k !== a && k !== b);
    path.push(best.pair);
    list = [...others, resultLabels([...(list[a] ?? []), ...(list[b] ?? [])], others, output)];
  }
  return path;
}

function resultLabels(
  labels: readonly string[],
  others: readonly (readonly string[])[],
  output: readonly string[],
): readonly string[] {
  const needed = new Set([...output, ...others.flat()]);
  return [...new Set(labels)].filter((label) => needed.has(label));
}

function extent(labels: ReadonlySet<string>, lengths: ReadonlyMap<string, number>): number {
  return [...labels].reduce((size, label) => size * (lengths.get(label) ?? 1), 1);
}
