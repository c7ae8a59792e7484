/** The layout of a graph: below what is read, and nothing on top of another. */
import { expect, it } from "vitest";
import { layOut } from "../src/element/graph-layout.ts";

const spacing = { width: 10, height: 4, gapX: 2, gapY: 6 };

it("places each vertex below all that it reads, apart from the others", () => {
  const reads = [[], [], [0, 1], [0], [2, 3], [4], [4], [4]];
  const { places, width, height } = layOut(reads, spacing, 2);
  for (const [k, sources] of reads.entries()) {
    for (const source of sources) expect(places[k]?.y).toBeGreaterThan(places[source]?.y ?? Number.NaN);
  }
  expect(new Set(places.map(({ x, y }) => `${x},${y}`)).size).toBe(reads.length);
  for (const { x, y } of places) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + spacing.width).toBeLessThanOrEqual(width);
    expect(y + spacing.height).toBeLessThanOrEqual(height);
  }
});

it("gives an empty graph no room", () => {
  expect(layOut([], spacing, 4).height).toBe(0);
});
