/** Decides which intermediate buffers of a plan share memory: those never needed at once. */

/** Memory that is needed from step `first` to step `last`. */
export interface Lifetime {
  readonly byteLength: number;
  readonly first: number;
  readonly last: number;
}

/** For each lifetime the buffer it gets, and how many bytes each buffer needs. */
export interface ScratchPlan {
  readonly bufferOf: readonly number[];
  readonly bufferBytes: readonly number[];
}

/** Gives every lifetime a buffer, reusing the one that fits best among those free by then. */
export function planScratch(lifetimes: readonly Lifetime[]): ScratchPlan {
  const order = lifetimes.map((_, k) => k).sort((a, b) => (lifetimes[a]?.first ?? 0) - (lifetimes[b]?.first ?? 0));
  const bufferOf = new Array<number>(lifetimes.length).fill(0);
  const bufferBytes: number[] = [];
  const busyUntil: number[] = [];
  for (const k of order) {
    const lifetime = lifetimes[k];
    if (!lifetime) continue;
    let best = -1;
    let bestWaste = Number.POSITIVE_INFINITY;
    bufferBytes.forEach((bytes, candidate) => {
      if ((busyUntil[candidate] ?? 0) >= lifetime.first) return;
      const waste = Math.abs(bytes - lifetime.byteLength);
      if (waste < bestWaste) [best, bestWaste] = [candidate, waste];
    });
    if (best === -1) {
      best = bufferBytes.length;
      bufferBytes.push(0);
    }
    bufferOf[k] = best;
    bufferBytes[best] = Math.max(bufferBytes[best] ?? 0, lifetime.byteLength);
    busyUntil[best] = lifetime.last;
  }
  return { bufferOf, bufferBytes };
}
