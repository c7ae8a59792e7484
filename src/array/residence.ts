/** Moves elements to where they are needed: once, and only then. An array's elements never change, so copies stay valid. */
import type { Allocation, Backend } from "../ir/backend.ts";

/** How often, and how much, elements moved between the memories of two devices. */
export interface Moves {
  readonly count: number;
  readonly bytes: number;
}

const moved = new WeakMap<Backend, { count: number; bytes: number }>();

/** What has moved into the memory of `backend` so far. */
export function movesInto(backend: Backend): Moves {
  return { count: 0, bytes: 0, ...moved.get(backend) };
}

/** The elements of `allocation`, which lie elsewhere, in the memory of `backend`. */
export function bringTo(backend: Backend, allocation: Allocation): Allocation | Promise<Allocation> {
  const copies = allocation.copies ?? new Map<Backend, Allocation | Promise<Allocation>>();
  allocation.copies = copies;
  for (const [place, copy] of copies) {
    const isBroken = !(copy instanceof Promise) && copy.isBroken;
    if (isBroken) copy.release();
    if (isBroken || place.isLost) copies.delete(place);
  }
  const known = copies.get(backend);
  if (known) return known;
  const copy = nearest(allocation).read((bytes): Allocation => {
    const count = moved.get(backend) ?? { count: 0, bytes: 0 };
    moved.set(backend, { count: count.count + 1, bytes: count.bytes + bytes.byteLength });
    return backend.upload(bytes);
  });
  copies.set(backend, copy);
  if (copy instanceof Promise) {
    copy.then(
      (arrived) => copies.set(backend, arrived),
      () => copies.delete(backend),
    );
  }
  return copy;
}

/** The block itself or a copy whose bytes can be had at once. */
function nearest(allocation: Allocation): Allocation {
  if (allocation.bytes() || !allocation.copies) return allocation;
  for (const copy of allocation.copies.values()) if (!(copy instanceof Promise) && copy.bytes()) return copy;
  return allocation;
}
