/** How a convolution to few outputs is cut into items and blocks, and where each thread keeps what it works on. */
import { roundUp } from "./gemm-emitter.ts";
import { TILE_ROWS, type TileColumns } from "./gemm-tile.ts";
import type { SpreadConvolution } from "./spread-call.ts";

/** Places of a block of products, about, and most places of a row that are one block. */
const [BLOCK_PLACES, MOST_PLACES] = [96, 256];
/** Bytes of outputs that an item adds up: of several small pictures together, and of a part of a large one at most. */
const [PICTURES_BYTES, PART_BYTES] = [1 << 16, 1 << 19];

/** How a convolution is cut into items, and what a row of outputs takes. Only `pictures` and `rows` depend on threads. */
interface Cut {
  /** Pictures of an item, which are whole if there are several. */
  readonly pictures: number;
  /** Outputs along the first axis of an item. */
  readonly rows: number;
  /** Outputs along the last axis of an item, and the most places that reach them. */
  readonly columns: number;
  readonly places: number;
  /** Outputs before and after a row, which places at its ends reach beside it. */
  readonly margin: number;
  readonly rowBytes: number;
}

/** A convolution, cut. */
export interface SpreadPlan extends Cut {
  readonly shape: SpreadConvolution;
  /** Groups of pictures, parts along the first axis, segments of the last one: an item for each combination. */
  readonly parts: readonly [number, number, number];
  /** Whether an item has all outputs along the first axis. */
  readonly isWhole: boolean;
  /** Lines of places whose products are computed at a time. */
  readonly blockLines: number;
  /** Products of a place, one for each weight and output, and the panels of weights that give them. */
  readonly sums: number;
  readonly columnPanels: number;
  readonly panelBytes: number;
  /** Bytes from the products of a place to those of the next. */
  readonly sumStride: number;
  /** Where a thread keeps packed places, products and the addresses of what is packed; outputs come first. */
  readonly placesOffset: number;
  readonly productsOffset: number;
  readonly tableOffset: number;
  readonly bytesPerThread: number;
}

/** The plan for tiles of so many columns and so many threads. */
export function planSpread(shape: SpreadConvolution, panelWidth: TileColumns, threadCount: number): SpreadPlan {
  const { batch, channels, outputs, axes } = shape;
  const [outer, inner, last] = axes;
  const cut = cutOf(shape, threadCount);
  const sums = outer.size * inner.size * last.size * outputs;
  const columnPanels = Math.ceil(sums / panelWidth);
  const blockLines = Math.max(1, Math.floor(BLOCK_PLACES / cut.places));
  const blockPlaces = blockLines * cut.places;
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const sumStride = columnPanels * panelWidth * 4 + 64;
  const paddedPlaces = roundUp(blockPlaces, 2 * TILE_ROWS);
  const placesOffset = roundUp(cut.pictures * cut.rows * inner.outLength * cut.rowBytes + 64, 64);
  const productsOffset = placesOffset + roundUp(paddedPlaces * channels * 4 + 64, 64);
  const tableOffset = productsOffset + paddedPlaces * sumStride;
  return {
    ...cut,
    shape,
    parts: [
      Math.ceil(batch / cut.pictures),
      Math.ceil(outer.outLength / cut.rows),
      Math.ceil(last.outLength / cut.columns),
    ],
    isWhole: cut.rows >= outer.outLength,
    blockLines,
    sums,
    columnPanels,
    panelBytes: roundUp(columnPanels * panelWidth * channels * 4 + 64, 64),
    sumStride,
    placesOffset,
    productsOffset,
    tableOffset,
    bytesPerThread: tableOffset + roundUp(Math.max(blockPlaces, sums) * 4 + 16, 64),
  };
}

/** Even parts. */
function cutOf({ batch, outputs, axes }: SpreadConvolution, threadCount: number): Cut {
  const [outer, inner, last] = axes;
  const segments = Math.ceil(last.length / MOST_PLACES);
  const columns = Math.ceil(last.outLength / segments);
  const margin = (last.size - 1) * last.spread;
  // A vector at the end of what a place adds may reach beyond it.
  const rowBytes = roundUp((columns + 2 * margin) * outputs * 4 + 16, 16);
  const places = Math.min(last.length, Math.floor((columns - 1 + margin) / last.step) + 1);
  const pictureBytes = outer.outLength * inner.outLength * rowBytes;
  const wanted = threadCount === 1 ? 1 : 2 * threadCount;
  // Parts see some of the same places.
  const most = Math.max(1, Math.floor(outer.outLength / (4 * (outer.size - 1) * outer.spread + 1)));
  const pieces = Math.max(Math.ceil(pictureBytes / PART_BYTES), Math.min(Math.ceil(wanted / (batch * segments)), most));
  const rows = Math.ceil(outer.outLength / pieces);
  const fitting = Math.floor(PICTURES_BYTES / pictureBytes);
  const pictures = pieces > 1 ? 1 : Math.max(1, Math.min(fitting, Math.floor((batch * segments) / wanted), batch));
  return { pictures, rows, columns, places, margin, rowBytes };
}
