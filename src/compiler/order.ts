/** The order in which kernels run: each finds its inputs computed, and little memory is held. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Group } from "./fuse.ts";
import type { Lowered } from "./lower.ts";

/** What a kernel reads and writes. */
interface Access {
  readonly lowered: Lowered<Kernel>;
  readonly reads: ReadonlySet<MLXArray>;
  readonly writes: readonly MLXArray[];
}

/**
 * Kernels in the order of the positions of their groups, as far as it goes. One that gives back at least as much memory as it
 * takes runs as soon as it can: what it reads last need not be kept until its turn. What is `kept` is never given back.
 */
export function orderKernels(
  groups: readonly Group[],
  positions: ReadonlyMap<MLXArray, number>,
  kept: ReadonlySet<MLXArray>,
): Lowered<Kernel>[] {
  const positionOf = ({ vertex }: Group): number => positions.get(vertex) ?? 0;
  const producers = new Map<MLXArray, Access>();
  /** The kernels still to come that read an array. */
  const readers = new Map<MLXArray, Set<Access>>();
  const sorted = groups.toSorted((a, b) => positionOf(a) - positionOf(b));
  const accesses = sorted.map(({ lowered }): Access => {
    const { slots, kernel } = lowered;
    const writes = slots.filter((_, k) => kernel.slots[k]?.isOutput);
    const access = { lowered, reads: new Set(slots.filter((_, k) => !kernel.slots[k]?.isOutput)), writes };
    for (const slot of writes) producers.set(slot, access);
    for (const slot of access.reads) readers.set(slot, (readers.get(slot) ?? new Set()).add(access));
    return access;
  });
  const done = new Set<Access>();
  const waitingFor = ({ reads }: Access): Access[] =>
    [...reads].flatMap((slot) => {
      const producer = producers.get(slot);
      return producer && !done.has(producer) ? [producer] : [];
    });
  const isLastRead = (slot: MLXArray): boolean =>
    producers.has(slot) && !kept.has(slot) && readers.get(slot)?.size === 1;
  const givesBack = ({ reads, writes }: Access): boolean => bytesOf([...reads].filter(isLastRead)) >= bytesOf(writes);
  const stack = accesses.reverse();
  const open = new Set<Access>();
  for (let next = stack.at(-1); next; next = stack.at(-1)) {
    const waiting = done.has(next) ? [] : waitingFor(next);
    if (waiting.length > 0) {
      if (open.has(next)) throw new RangeError("kernels depend on each other in a circle");
      open.add(next);
      stack.push(...waiting);
      continue;
    }
    stack.pop();
    if (done.has(next)) continue;
    done.add(next);
    for (const slot of next.reads) readers.get(slot)?.delete(next);
    for (const slot of [...next.reads, ...next.writes]) {
      const left = readers.get(slot);
      if (left?.size !== 1) continue;
      for (const last of left) if (waitingFor(last).length === 0 && givesBack(last)) stack.push(last);
    }
  }
  return [...done].map(({ lowered }) => lowered);
}

const bytesOf = (arrays: readonly MLXArray[]): number => arrays.reduce((sum, { nbytes }) => sum + nbytes, 0);
