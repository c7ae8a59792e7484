/** Where the vertices of a graph are drawn: in layers, each below all that it reads. */

/** A vertex, placed. */
export interface Placed {
  readonly x: number;
  readonly y: number;
}

/** A graph, placed. */
export interface Layout {
  readonly places: readonly Placed[];
  readonly width: number;
  readonly height: number;
}

/** How large a vertex is, and how far apart two are. */
export interface Spacing {
  readonly width: number;
  readonly height: number;
  readonly gapX: number;
  readonly gapY: number;
}

/**
 * Places vertices in layers. Vertex `k` reads those in `reads[k]`, all before it. Within a layer, vertices stand in the order of
 * the mean place of what they read (Sugiyama et al. 1981, one pass), wrapped where a layer is wider than `perRow`.
 */
export function layOut(reads: readonly (readonly number[])[], spacing: Spacing, perRow: number): Layout {
  const layerOf: number[] = [];
  const layers: number[][] = [];
  for (const [k, sources] of reads.entries()) {
    const layer = Math.max(-1, ...sources.map((source) => layerOf[source] ?? 0)) + 1;
    layerOf.push(layer);
    const list = layers[layer] ?? [];
    list.push(k);
    layers[layer] = list;
  }
  const column = new Map<number, number>();
  const rows: number[][] = [];
  for (const layer of layers) {
    const wish = new Map(
      layer.map((k) => {
        const sources = reads[k] ?? [];
        return [k, sources.reduce((sum, source) => sum + (column.get(source) ?? 0), 0) / Math.max(sources.length, 1)];
      }),
    );
    const ordered = [...layer].sort((a, b) => (wish.get(a) ?? 0) - (wish.get(b) ?? 0) || a - b);
    for (let from = 0; from < ordered.length; from += perRow) rows.push(ordered.slice(from, from + perRow));
    for (const [place, k] of ordered.entries()) column.set(k, place - ordered.length / 2);
  }
  const widest = Math.max(1, ...rows.map(({ length }) => length));
  const width = widest * (spacing.width + spacing.gapX) - spacing.gapX;
  const places: Placed[] = reads.map(() => ({ x: 0, y: 0 }));
  for (const [row, list] of rows.entries()) {
    const rowWidth = list.length * (spacing.width + spacing.gapX) - spacing.gapX;
    for (const [place, k] of list.entries()) {
      places[k] = {
        x: (width - rowWidth) / 2 + place * (spacing.width + spacing.gapX),
        y: row * (spacing.height + spacing.gapY),
      };
    }
  }
  return { places, width, height: Math.max(0, rows.length * (spacing.height + spacing.gapY) - spacing.gapY) };
}
