/** Waiting for the collector, which comes when it likes. */

/** What `held` says once it is at most `enough`, or after many chances for the collector, which memory of its own calls. */
export async function onceCollected(held: () => number, enough: number): Promise<number> {
  let kept: unknown[] = [];
  for (let chance = 0; chance < 200 && held() > enough; chance++) {
    // V8 comes for large buffers, Firefox for many objects that have lived for some time.
    new Uint8Array(32 * 1024 * 1024).fill(chance);
    if (chance % 10 === 0) kept = [];
    kept.push(Array.from({ length: 100_000 }, (_, k) => ({ k })));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return held();
}
