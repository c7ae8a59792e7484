/** Writes what becomes of a block of tiles: their pixels transformed, the products, their outputs. */
import { type GemmEmitter, roundUp } from "./gemm-emitter.ts";
import { forUpTo } from "./gemm-loops.ts";
import { packingBytes, packStrided } from "./gemm-panels.ts";
import { TILE_ROWS, type TileColumns } from "./gemm-tile.ts";
import type { TiledConvolution } from "./winograd-call.ts";
import { MATRICES, placesAlong, placesOf, transformPixels, transformSums, VectorScope } from "./winograd-transforms.ts";

/** Most and fewest tiles of a block, and the bytes that their transforms should fit into: part of a second-level cache. */
const [MOST_TILES, FEWEST_TILES, BLOCK_BYTES] = [8 * TILE_ROWS, 4 * TILE_ROWS, 3 << 18];

/** Blocks and memory of a convolution. */
export interface TilePlan {
  readonly panelWidth: TileColumns;
  /** Outputs, whole panels. */
  readonly columns: number;
  readonly placeCount: number;
  readonly tilesDown: number;
  readonly tilesAcross: number;
  readonly tiles: number;
  /** Tiles of a block. */
  readonly block: number;
  /** Bytes of the pixels at a place of a tile, of the sums there, and of a matrix of weights. */
  readonly pixelStride: number;
  readonly sumStride: number;
  readonly matrixBytes: number;
  /** Bytes of each piece of a thread's memory, in their order. */
  readonly bytes: Readonly<Record<"zeros" | "pixels" | "panels" | "sums" | "table", number>>;
  readonly bytesPerThread: number;
}

/** The plan for a convolution, with panels of so many columns. */
export function planTiles(
  { batch, channels, outHeight, outWidth, outputs, stride }: TiledConvolution,
  panelWidth: TileColumns,
): TilePlan {
  const { places, met } = placesOf(stride);
  const placeCount = places.length;
  const columns = roundUp(outputs, panelWidth);
  const [tilesDown, tilesAcross] = [Math.ceil(outHeight / 2), Math.ceil(outWidth / 2)];
  const fitting = Math.floor(BLOCK_BYTES / (placeCount * 4 * (channels + columns)) / TILE_ROWS) * TILE_ROWS;
  const block = Math.max(FEWEST_TILES, Math.min(MOST_TILES, fitting));
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const pixelStride = channels * 4 + 64;
  const sumStride = columns * 4 + 64;
  const bytes = {
    zeros: roundUp(channels * 4, 64),
    pixels: placeCount * block * pixelStride,
    panels: roundUp(Math.max(...met) * block * channels * 4 + 64, 64),
    sums: placeCount * block * sumStride,
    table: packingBytes([]),
  };
  return {
    panelWidth,
    columns,
    placeCount,
    tilesDown,
    tilesAcross,
    tiles: batch * tilesDown * tilesAcross,
    block,
    pixelStride,
    sumStride,
    matrixBytes: columns * channels * 4,
    bytes,
    bytesPerThread: Object.values(bytes).reduce((sum, length) => sum + length, 0),
  };
}

/** Locals of a tile: its number in the block, its picture and its first output's place. */
interface Tile {
  readonly tile: number;
  readonly picture: number;
  readonly y: number;
  readonly x: number;
}

/** Writes the phase for one block, an item. */
export class BlockEmitter {
  readonly #e: GemmEmitter;
  readonly #shape: TiledConvolution;
  readonly #plan: TilePlan;
  readonly #zeros: number;
  readonly #pixels: number;
  readonly #panels: number;
  readonly #sums: number;
  readonly #table: number;
  readonly #first: number;
  readonly #count: number;

  constructor(e: GemmEmitter, shape: TiledConvolution, plan: TilePlan, item: number) {
    const { block, bytes, tiles } = plan;
    this.#e = e;
    this.#shape = shape;
    this.#plan = plan;
    this.#zeros = e.let(e.threadScratch(MATRICES * plan.matrixBytes, plan.bytesPerThread));
    this.#pixels = e.let(e.sum([e.get(this.#zeros), 1], bytes.zeros));
    this.#panels = e.let(e.sum([e.get(this.#pixels), 1], bytes.pixels));
    this.#sums = e.let(e.sum([e.get(this.#panels), 1], bytes.panels));
    this.#table = e.let(e.sum([e.get(this.#sums), 1], bytes.sums));
    this.#first = e.let(e.sum([e.get(item), block]));
    this.#count = e.let(e.least(e.constant(block), () => e.f.i32(tiles).get(this.#first).op("i32.sub")));
  }

  /** `direct` is the function that computes an output again, `output` the slot of the result. */
  emit(direct: number, output: number): void {
    this.#e.f.get(this.#zeros).i32(0).i32(this.#plan.bytes.zeros).memoryFill();
    this.#eachTile((tile) => this.#takePixels(tile));
    this.#multiply();
    this.#eachTile((tile) => this.#giveOutputs(tile, direct, output));
  }

  #eachTile(body: (tile: Tile) => void): void {
    const e = this.#e;
    const { tilesDown, tilesAcross } = this.#plan;
    const tile = e.let(e.constant(0));
    forUpTo(e.f, tile, this.#count, 1, () => {
      const index = e.let(e.sum([e.get(this.#first), 1], [e.get(tile), 1]));
      const [picture = 0, down = 0, across = 0] = e.split(index, [this.#shape.batch, tilesDown, tilesAcross]);
      const [y, x] = [e.let(e.sum([e.get(down), 2])), e.let(e.sum([e.get(across), 2]))];
      body({ tile, picture, y, x });
      for (const local of [index, picture, down, across, y, x]) e.f.release(local);
    });
    e.f.release(tile);
  }

  /** Transforms the pixels that a tile sees. */
  #takePixels(tile: Tile): void {
    const { channels, stride } = this.#shape;
    const { block, pixelStride } = this.#plan;
    const e = this.#e;
    const { f } = e;
    const { places } = placesOf(stride);
    const pointers = this.#pixelPointers(tile);
    const at = e.let(e.constant(0));
    const end = e.let(e.constant(channels * 4));
    const to = e.let(e.sum([e.get(this.#pixels), 1], [e.get(tile.tile), pixelStride]));
    const v = new VectorScope(f);
    forUpTo(f, at, end, 16, () => {
      const loaded = pointers.map((row) =>
        row.map((pointer) => v.keep(() => f.get(pointer, at).op("i32.add").memory("v128.load"))),
      );
      for (const [k, vector] of transformPixels(v, loaded, stride).flat().entries())
        f.get(to, vector).memory("v128.store", (places[k] ?? 0) * block * pixelStride);
      v.release();
      f.get(to).i32(16).op("i32.add").set(to);
    });
    for (const local of [...pointers.flat(), at, end, to]) f.release(local);
  }

  /** Multiplies each matrix of weights with the places that meet it. */
  #multiply(): void {
    const { channels, stride } = this.#shape;
    const { block, columns, panelWidth, pixelStride, sumStride, matrixBytes } = this.#plan;
    const e = this.#e;
    let place = 0;
    for (const [matrix, placesMet] of placesOf(stride).met.entries()) {
      // Whole blocks of the places but the last.
      const rows = e.sum([e.get(this.#count), 1], (placesMet - 1) * block);
      const depth = e.constant(channels);
      const source = e.sum([e.get(this.#pixels), 1], place * block * pixelStride);
      const lengths = { lanes: rows, depth, panelDepth: depth };
      const panels = { destination: e.get(this.#panels), work: e.get(this.#table) };
      packStrided(e, "Left", source, [pixelStride, 4], lengths, panels);
      const to = e.sum([e.get(this.#sums), 1], place * block * sumStride);
      const [left, right] = [e.get(this.#panels), e.scratch(matrix * matrixBytes)];
      e.call("multiply", left, right, to, e.constant(sumStride), depth, rows, e.constant(columns / panelWidth));
      place += placesMet;
    }
  }

  /** Transforms the sums of a tile back; where an output is not finite, all are computed again. */
  #giveOutputs(tile: Tile, direct: number, output: number): void {
    const { outHeight, outWidth, outputs, stride } = this.#shape;
    const { block, sumStride } = this.#plan;
    const e = this.#e;
    const { f } = e;
    const pixel = outputs * 4;
    const { places } = placesOf(stride);
    const place = e.sum(
      [e.get(tile.picture), outHeight * outWidth * pixel],
      [e.get(tile.y), outWidth * pixel],
      [e.get(tile.x), pixel],
    );
    const to = e.let(e.sum([e.slot(output), 1], [place, 1]));
    const from = e.let(e.sum([e.get(this.#sums), 1], [e.get(tile.tile), sumStride]));
    const end = e.let(e.sum([e.get(from), 1], pixel));
    const isInside = [0, 1].map((dy) =>
      [0, 1].map((dx) =>
        e.let(() => {
          f.get(tile.y).i32(dy).op("i32.add").i32(outHeight).op("i32.lt_u");
          f.get(tile.x).i32(dx).op("i32.add").i32(outWidth).op("i32.lt_u").op("i32.and");
        }),
      ),
    );
    const check = f.local("v128");
    f.splatF32(0).set(check);
    const v = new VectorScope(f);
    const lines = Array.from({ length: placesAlong(stride) }, (_, line) => line);
    forUpTo(f, from, end, 16, () => {
      const loaded = lines.map((row) =>
        lines.map((column) => {
          const number = places[row * lines.length + column] ?? 0;
          return v.keep(() => f.get(from).memory("v128.load", number * block * sumStride));
        }),
      );
      for (const [dy, row] of transformSums(v, loaded, stride).entries()) {
        for (const [dx, value] of row.entries()) {
          // Stays 0 as long as all values are finite.
          f.get(value).splatF32(0).op("f32x4.mul").get(check).op("f32x4.add").set(check);
          const store = (): void => {
            f.get(to, value).memory("v128.store", (dy * outWidth + dx) * pixel);
          };
          if (dy + dx === 0) store();
          else f.get(isInside[dy]?.[dx] ?? 0).if(store);
        }
      }
      v.release();
      f.get(to).i32(16).op("i32.add").set(to);
    });
    f.get(check, check)
      .op("f32x4.ne")
      .op("v128.any_true")
      .if(() => this.#computeAgain(tile, isInside, to, direct));
    for (const local of [to, from, end, check, ...isInside.flat()]) f.release(local);
  }

  /** Computes each output directly; `to` lies behind the first of them. */
  #computeAgain(tile: Tile, isInside: readonly (readonly number[])[], to: number, direct: number): void {
    const { outWidth, outputs, stride } = this.#shape;
    const { f } = this.#e;
    const pixel = outputs * 4;
    const pointers = this.#pixelPointers(tile);
    for (const [dy, row] of isInside.entries()) {
      for (const [dx, inside] of row.entries()) {
        f.get(inside).if(() => {
          this.#e.slot(1)();
          f.get(to)
            .i32((dy * outWidth + dx) * pixel - pixel)
            .op("i32.add");
          for (let tap = 0; tap < 9; tap++)
            f.get(pointers[dy * stride + Math.floor(tap / 3)]?.[dx * stride + (tap % 3)] ?? 0);
          f.call(direct);
        });
      }
    }
    for (const local of pointers.flat()) f.release(local);
  }

  /** The addresses of the pixels that a tile sees: zeros where they lie outside the picture. */
  #pixelPointers({ picture, y, x }: Tile): readonly (readonly number[])[] {
    const {
      height,
      width,
      channels,
      stride,
      low: [top, left],
    } = this.#shape;
    const e = this.#e;
    const { f } = e;
    const pixel = channels * 4;
    const corner = e.let(
      e.sum(
        [e.slot(0), 1],
        [e.get(picture), height * width * pixel],
        [e.get(y), stride * width * pixel],
        [e.get(x), stride * pixel],
        -(top * width + left) * pixel,
      ),
    );
    /** Whether a place, moved back by the padding, lies within a length: unsigned, so that what is before 0 is outside too. */
    const isWithin = (place: number, moved: number, length: number): number =>
      e.let(() => {
        e.sum([e.get(place), stride], moved)();
        f.i32(length).op("i32.lt_u");
      });
    const lines = Array.from({ length: placesAlong(stride) }, (_, line) => line);
    const rows = lines.map((dy) => isWithin(y, dy - top, height));
    const columns = lines.map((dx) => isWithin(x, dx - left, width));
    const pointers = rows.map((row, dy) =>
      columns.map((column, dx) =>
        e.let(() => {
          f.get(corner)
            .i32((dy * width + dx) * pixel)
            .op("i32.add");
          f.get(this.#zeros, row, column).op("i32.and").op("select");
        }),
      ),
    );
    for (const local of [corner, ...rows, ...columns]) f.release(local);
    return pointers;
  }
}
