/** Emits a convolution of 3 × 3 weights by transformed tiles: products of 4 × 4 places, 5 × 5 with stride 2, for 2 × 2 outputs. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import { compositeModule } from "./composite-module.ts";
import { type GemmEmitter, packingBytes, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { forUpTo } from "./gemm-loops.ts";
import { TILE_ROWS } from "./gemm-tile.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { type TiledConvolution, tiledConvolutionOf } from "./winograd-call.ts";
import { directType, emitDirect } from "./winograd-direct.ts";
import {
  MATRICES,
  placesAlong,
  placesOf,
  transformPixels,
  transformSums,
  transformWeights,
  VectorScope,
} from "./winograd-transforms.ts";

/** Most and fewest tiles of a block, and the bytes that their transforms should fit into: part of a second-level cache. */
const [MOST_TILES, FEWEST_TILES, BLOCK_BYTES] = [8 * TILE_ROWS, 4 * TILE_ROWS, 3 << 18];

/**
 * Compiles a convolution to a module on the library of matrix products.
 *
 *     weights      3 × 3 weights of each output ─► places ─► panels, sixteen matrices of [channels, outputs]
 *     convolve     for each block of tiles:                                             (threads take blocks)
 *       pixels of each tile ─► places
 *       for each matrix and the places that meet it:   pixels ─► panels,  sums = panels · panels
 *       sums ─► 2 × 2 outputs
 *
 * A transformed infinity or NaN would reach outputs that do not see it: tiles with an output that is not finite are
 * computed again, directly. A tile's bits depend on neither blocks nor threads.
 */
export function emitTiledConvolution(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const shape = tiledConvolutionOf(kernel.call);
  const { batch, channels, outHeight, outWidth, outputs, stride, flip } = shape;
  const along = placesAlong(stride);
  const { places, met } = placesOf(stride);
  const placeCount = places.length;
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const panelWidth = tileColumns(target);
  const columns = roundUp(outputs, panelWidth);
  const tilesDown = Math.ceil(outHeight / 2);
  const tilesAcross = Math.ceil(outWidth / 2);
  const tiles = batch * tilesDown * tilesAcross;
  const fitting = Math.floor(BLOCK_BYTES / (placeCount * 4 * (channels + columns)) / TILE_ROWS) * TILE_ROWS;
  const block = Math.max(FEWEST_TILES, Math.min(MOST_TILES, fitting));
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const pixelStride = channels * 4 + 64;
  const sumStride = columns * 4 + 64;
  const matrixBytes = columns * channels * 4;
  const bytes = {
    zeros: roundUp(channels * 4, 64),
    pixels: placeCount * block * pixelStride,
    panels: roundUp(Math.max(...met) * block * channels * 4 + 64, 64),
    sums: placeCount * block * sumStride,
    table: packingBytes([]),
  };
  const bytesPerThread = Object.values(bytes).reduce((sum, length) => sum + length, 0);
  const direct = module.addFunction(null, directType, (f) => emitDirect(f, shape));

  addPhase("weights", (e, output) => {
    const { f } = e;
    const from = e.let(e.sum([e.slot(1), 1], [e.get(output), 9 * channels * 4]));
    const [panel, lane] = [
      () => f.get(output).i32(panelWidth).op("i32.div_u"),
      () => f.get(output).i32(panelWidth).op("i32.rem_u"),
    ];
    const to = e.let(e.sum([e.scratch(0), 1], [panel, channels * panelWidth * 4], [lane, 4]));
    const end = e.let(e.sum([e.get(from), 1], channels * 4));
    const v = new VectorScope(f);
    forUpTo(f, from, end, 16, () => {
      const taps = [0, 1, 2].map((y) =>
        [0, 1, 2].map((x) => {
          const tap = flip ? 8 - (y * 3 + x) : y * 3 + x;
          return v.keep(() => f.get(from).memory("v128.load", tap * channels * 4));
        }),
      );
      for (const [matrix, vector] of transformWeights(v, taps, stride).flat().entries()) {
        for (let channel = 0; channel < 4; channel++)
          f.get(to, vector).memoryLane("v128.store32_lane", matrix * matrixBytes + channel * panelWidth * 4, channel);
      }
      v.release();
      f.get(to)
        .i32(4 * panelWidth * 4)
        .op("i32.add")
        .set(to);
    });
  });

  addPhase("convolve", (e, item) => {
    const { f } = e;
    const zeros = e.let(e.threadScratch(MATRICES * matrixBytes, bytesPerThread));
    const pixels = e.let(e.sum([e.get(zeros), 1], bytes.zeros));
    const panels = e.let(e.sum([e.get(pixels), 1], bytes.pixels));
    const sums = e.let(e.sum([e.get(panels), 1], bytes.panels));
    const table = e.let(e.sum([e.get(sums), 1], bytes.sums));
    const first = e.let(e.sum([e.get(item), block]));
    const count = e.let(e.least(e.constant(block), () => f.i32(tiles).get(first).op("i32.sub")));
    f.get(zeros).i32(0).i32(bytes.zeros).memoryFill();
    /** Runs `body` for each tile of the block, with its number in the block, its picture and its first output's place. */
    const eachTile = (body: (tile: number, picture: number, y: number, x: number) => void): void => {
      const tile = e.let(e.constant(0));
      forUpTo(f, tile, count, 1, () => {
        const index = e.let(e.sum([e.get(first), 1], [e.get(tile), 1]));
        const [picture = 0, down = 0, across = 0] = e.split(index, [batch, tilesDown, tilesAcross]);
        const [y, x] = [e.let(e.sum([e.get(down), 2])), e.let(e.sum([e.get(across), 2]))];
        body(tile, picture, y, x);
        for (const local of [index, picture, down, across, y, x]) f.release(local);
      });
      f.release(tile);
    };

    eachTile((tile, picture, y, x) => {
      const pointers = pixelPointers(e, shape, { input: e.slot(0), zeros, picture, y, x });
      const at = e.let(e.constant(0));
      const end = e.let(e.constant(channels * 4));
      const to = e.let(e.sum([e.get(pixels), 1], [e.get(tile), pixelStride]));
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
    });

    let place = 0;
    for (const [matrix, placesMet] of met.entries()) {
      // Whole blocks of the places but the last.
      const rows = e.sum([e.get(count), 1], (placesMet - 1) * block);
      const depth = e.constant(channels);
      const source = e.sum([e.get(pixels), 1], place * block * pixelStride);
      const lengths = { lanes: rows, depth, panelDepth: depth };
      e.packStrided("Left", source, [pixelStride, 4], lengths, e.get(panels), e.get(table));
      const to = e.sum([e.get(sums), 1], place * block * sumStride);
      const columnPanels = e.constant(columns / panelWidth);
      e.call(
        "multiply",
        e.get(panels),
        e.scratch(matrix * matrixBytes),
        to,
        e.constant(sumStride),
        depth,
        rows,
        columnPanels,
      );
      place += placesMet;
    }

    eachTile((tile, picture, y, x) => {
      const pixel = outputs * 4;
      const place = e.sum(
        [e.get(picture), outHeight * outWidth * pixel],
        [e.get(y), outWidth * pixel],
        [e.get(x), pixel],
      );
      const to = e.let(e.sum([e.slot(kernel.slots.length - 1), 1], [place, 1]));
      const from = e.let(e.sum([e.get(sums), 1], [e.get(tile), sumStride]));
      const end = e.let(e.sum([e.get(from), 1], outputs * 4));
      const isInside = [0, 1].map((dy) =>
        [0, 1].map((dx) =>
          e.let(() => {
            f.get(y).i32(dy).op("i32.add").i32(outHeight).op("i32.lt_u");
            f.get(x).i32(dx).op("i32.add").i32(outWidth).op("i32.lt_u").op("i32.and");
          }),
        ),
      );
      const check = f.local("v128");
      f.splatF32(0).set(check);
      const v = new VectorScope(f);
      forUpTo(f, from, end, 16, () => {
        const lines = Array.from({ length: along }, (_, line) => line);
        const loaded = lines.map((row) =>
          lines.map((column) =>
            v.keep(() => f.get(from).memory("v128.load", (places[row * along + column] ?? 0) * block * sumStride)),
          ),
        );
        const results = transformSums(v, loaded, stride);
        for (const [dy, row] of results.entries()) {
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
        .if(() => {
          const pointers = pixelPointers(e, shape, { input: e.slot(0), zeros, picture, y, x });
          for (const [dy, row] of isInside.entries()) {
            for (const [dx, inside] of row.entries()) {
              f.get(inside).if(() => {
                e.slot(1)();
                f.get(to)
                  .i32((dy * outWidth + dx) * pixel - outputs * 4)
                  .op("i32.add");
                for (let tap = 0; tap < 9; tap++)
                  f.get(pointers[dy * stride + Math.floor(tap / 3)]?.[dx * stride + (tap % 3)] ?? 0);
                f.call(direct);
              });
            }
          }
          for (const local of pointers.flat()) f.release(local);
        });
      for (const local of [to, from, end, check, ...isInside.flat()]) f.release(local);
    });
  });

  const products = (tiles * placeCount * channels * columns) / 3;
  return {
    bytes: module.build(),
    library: gemmLibrary(panelWidth),
    phases: [
      {
        name: "weights",
        itemCount: outputs,
        itemsPerChunk: Math.ceil(outputs / (4 * target.threadCount)),
        work: outputs * channels * 20,
      },
      {
        name: "convolve",
        itemCount: Math.ceil(tiles / block),
        itemsPerChunk: 1,
        work: products + tiles * (channels + outputs) * 25,
      },
    ],
    scratchBytes: MATRICES * matrixBytes + bytesPerThread * target.threadCount,
    layout,
  };
}

/** The addresses of the pixels that a tile sees: zeros where they lie outside the picture. */
function pixelPointers(
  e: GemmEmitter,
  { height, width, channels, stride, low: [top, left] }: TiledConvolution,
  {
    input,
    zeros,
    picture,
    y,
    x,
  }: {
    readonly input: () => void;
    readonly zeros: number;
    readonly picture: number;
    readonly y: number;
    readonly x: number;
  },
): readonly (readonly number[])[] {
  const { f } = e;
  const pixel = channels * 4;
  const corner = e.let(
    e.sum(
      [input, 1],
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
        f.get(zeros, row, column).op("i32.and").op("select");
      }),
    ),
  );
  for (const local of [corner, ...rows, ...columns]) f.release(local);
  return pointers;
}
