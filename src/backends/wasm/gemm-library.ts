/** Emits the inner loops of float32 matrix products as modules that products share. Knows addresses and strides. */

import "./other-opcodes.ts";
import { type FunctionBuilder, type FunctionType, ModuleBuilder } from "./assembler.ts";
import type { CompileOptions } from "./engine-features.ts";
import { advance, advanceBy, countDown, forUpTo, multiplyAdd, takesIntegers, transpose } from "./gemm-loops.ts";
import { copyRows, gather, ladder, packCopies, packLines } from "./gemm-packing.ts";
import { multiply, TILE_ROWS, type TileColumns } from "./gemm-tile.ts";
import type { KernelLibrary } from "./kernel-code.ts";

/**
 * The functions of the library, by the names under which products import them. Strides are in bytes, counts in elements;
 * all memory is float32. A *panel* holds W neighbouring lanes (rows of the left operand, columns of the right one) of all
 * depths: `panel[k][lane]`, anything where there is no lane.
 */
export const gemmLibraryTypes: Readonly<Record<GemmLibraryName, FunctionType>> = {
  /** (table, count, address, stride): writes the addresses `address + i · stride` to the table. */
  ladder: takesIntegers(4),
  /**
   * (table, lanes, depth, destination, panelDepth, firstDepth): packs `lanes` lanes and `depth` depths of the left operand,
   * from `firstDepth` on of panels that are `panelDepth` deep and begin at `destination`. The table holds the address of
   * each lane, whose depths are contiguous. What whole panels leave over makes one or two panels of TAIL_ROWS lanes.
   */
  packLeftLines: takesIntegers(6),
  /** The same for the right operand, all panels as wide as a tile. */
  packRightLines: takesIntegers(6),
  /** The same from a table with the address of each depth, whose lanes are contiguous. */
  packLeftCopies: takesIntegers(6),
  packRightCopies: takesIntegers(6),
  /** (leftPanels, rightPanels, target, rowStride, depth, rows, columnPanels): target = left · right, by whole tiles. */
  multiply: takesIntegers(7),
  /**
   * (thin, thinStride, wide, wideStride, target, thinTargetStride, wideTargetStride, thinCount, wideCount, depth):
   * target[i, j] += Σₖ thin[i, k] · wide[j, k]; both operands are contiguous along k.
   */
  addDots: takesIntegers(10),
  /**
   * (thin, thinStride, wide, wideStride, target, targetStride, thinCount, wideCount, depth):
   * target[i, j] += Σₖ thin[i, k] · wide[k, j]; `thin` is contiguous along k, `wide` along j. Whole vectors of the target
   * are written: up to 3 elements past `wideCount`.
   */
  addScaledRows: takesIntegers(9),
  /** (source, target, byteLength): target += source; the length is a multiple of 16. */
  addVectors: takesIntegers(3),
  /** (source, rowStride, columnStride, rows, columns, destination, destinationStride): element by element. */
  gather: takesIntegers(7),
  /** (source, sourceStride, destination, destinationStride, rows, columns): rows are contiguous on both sides. */
  copyRows: takesIntegers(6),
};

/** Name of a function of the library. */
export type GemmLibraryName =
  | "ladder"
  | "packLeftLines"
  | "packRightLines"
  | "packLeftCopies"
  | "packRightCopies"
  | "multiply"
  | "addDots"
  | "addScaledRows"
  | "addVectors"
  | "gather"
  | "copyRows";

/** What packed products with tiles of so many columns share. */
export function gemmLibrary(columns: TileColumns): KernelLibrary {
  return columns === 16 ? wide : narrow;
}

/** The innermost loop of those products: a module of its own, because it alone is compiled for wide vectors. */
export function multiplyLibrary(columns: TileColumns): KernelLibrary {
  return library("multiply", { optimize: true, widen: columns === 16 }, [
    ["multiply", (f, relaxed) => multiply(f, relaxed, columns)],
  ]);
}

/** Whatever products of either kind need besides. */
const shared: readonly LibraryFunction[] = [
  ["addVectors", addVectors],
  ["gather", gather],
  ["copyRows", copyRows],
];

/** What products with one small side share, which pack nothing. */
export const thinLibrary: KernelLibrary = library("thin products", { optimize: true }, [
  ["addDots", addDots],
  ["addScaledRows", addScaledRows],
  ...shared,
]);

const [narrow, wide] = [packedLibrary(8), packedLibrary(16)];

function packedLibrary(columns: TileColumns): KernelLibrary {
  return {
    ...library("products", { optimize: true }, [
      ["ladder", ladder],
      ["packLeftLines", (f) => packLines(f, TILE_ROWS)],
      ["packRightLines", (f) => packLines(f, columns)],
      ["packLeftCopies", (f) => packCopies(f, TILE_ROWS)],
      ["packRightCopies", (f) => packCopies(f, columns)],
      ...shared,
    ]),
    library: multiplyLibrary(columns),
  };
}

type LibraryFunction = readonly [GemmLibraryName, (f: FunctionBuilder, relaxed: boolean) => void];

/** Compiled optimized: the loops run long. */
function library(name: string, options: CompileOptions, functions: readonly LibraryFunction[]): KernelLibrary {
  return {
    name,
    options,
    emit(target) {
      const builder = new ModuleBuilder(target);
      for (const [name, body] of functions)
        builder.addFunction(name, gemmLibraryTypes[name], (f) => body(f, target.relaxed));
      return builder.build();
    },
  };
}

/** Tiles of 2 × 4 dot products (1 × 4 for an odd last row), summed in four lanes each. */
function addDots(f: FunctionBuilder, relaxed: boolean): void {
  const [thin, thinStride, wide, wideStride, target, thinStep, wideStep, thinCount, wideCount, depth] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ];
  const a = [f.local("i32"), f.local("i32")];
  const b = [0, 1, 2, 3].map(() => f.local("i32"));
  const offset = f.local("i32");
  const end = f.local("i32");
  const rest = f.local("i32");
  const at = f.local("i32");
  const rowsLeft = f.local("i32");
  const mask = f.local("v128");
  const left = [f.local("v128"), f.local("v128")];
  const right = f.local("v128");
  const sums = [0, 1].map(() => [0, 1, 2, 3].map(() => f.local("v128")));

  /** One vector of each operand at `offset`; `masked` keeps what lies past the end out, NaN included. */
  const step = (rows: number, masked: boolean): void => {
    const load = (pointer: number): void => {
      f.get(pointer, offset).op("i32.add").memory("v128.load");
      if (masked) f.get(mask).op("v128.and");
    };
    for (let i = 0; i < rows; i++) {
      load(a[i] ?? 0);
      f.set(left[i] ?? 0);
    }
    for (const [j, pointer] of b.entries()) {
      load(pointer);
      f.set(right);
      for (let i = 0; i < rows; i++) multiplyAdd(f, relaxed, left[i] ?? 0, right, sums[i]?.[j] ?? 0);
    }
  };

  const tile = (rows: number): void => {
    for (const sum of sums.slice(0, rows).flat()) f.splatF32(0).set(sum);
    f.i32(0).set(offset);
    forUpTo(f, offset, end, 16, () => step(rows, false));
    f.get(rest).if(() => step(rows, true));
    for (const row of sums.slice(0, rows)) {
      f.get(at).set(offset);
      const total = right;
      transpose(f, row, (index, push) => {
        if (index > 0) f.get(total);
        push();
        if (index > 0) f.op("f32x4.add");
        f.set(total);
      });
      f.block(() => {
        for (let j = 0; j < 4; j++) {
          f.get(offset, offset)
            .memory("f32.load")
            .get(total)
            .lane("f32x4.extract_lane", j)
            .op("f32.add")
            .memory("f32.store");
          if (j < 3) {
            f.get(wideCount)
              .i32(j + 1)
              .op("i32.le_u")
              .brIf(0);
            advance(f, offset, wideStep);
          }
        }
      });
      advance(f, at, thinStep);
    }
  };

  f.get(depth).i32(-4).op("i32.and").i32(2).op("i32.shl").set(end);
  f.get(depth).i32(3).op("i32.and").set(rest);
  // Lanes 0, 1, 2 are kept as `rest` says.
  f.get(rest)
    .op("i32x4.splat")
    .v128(new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer))
    .op("i32x4.gt_s")
    .set(mask);
  f.block(() => {
    f.loop(() => {
      f.get(wideCount).op("i32.eqz").brIf(1);
      f.get(wide).set(b[0] ?? 0);
      for (let j = 1; j < 4; j++) {
        // Past the last lane the one before is computed again, and not stored.
        const [before = 0, here = 0] = [b[j - 1], b[j]];
        f.get(before, wideStride).op("i32.add").get(before).get(wideCount).i32(j).op("i32.gt_u").op("select").set(here);
      }
      f.get(thin)
        .set(a[0] ?? 0)
        .get(target)
        .set(at)
        .get(thinCount)
        .set(rowsLeft);
      f.block(() => {
        f.loop(() => {
          f.get(rowsLeft).i32(2).op("i32.lt_u").brIf(1);
          f.get(a[0] ?? 0, thinStride)
            .op("i32.add")
            .set(a[1] ?? 0);
          tile(2);
          f.get(a[1] ?? 0, thinStride)
            .op("i32.add")
            .set(a[0] ?? 0);
          advanceBy(f, rowsLeft, -2).br(0);
        });
      });
      f.get(rowsLeft).if(() => tile(1));
      f.get(wideCount).i32(4).op("i32.le_u").brIf(1);
      advanceBy(f, wideCount, -4);
      f.get(wide, wideStride).i32(2).op("i32.shl").op("i32.add").set(wide);
      f.get(target, wideStep).i32(2).op("i32.shl").op("i32.add").set(target).br(0);
    });
  });
}

/** Rows of `wide` that stream through the target at a time: with fewer the target is read and written more often. */
const STREAMED_ROWS = 8;

/** Streams some rows of `wide` at a time through the target: sequential reads, whatever the stride. */
function addScaledRows(f: FunctionBuilder, relaxed: boolean): void {
  const [thin, thinStride, wide, wideStride, target, targetStride, thinCount, wideCount, depth] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8,
  ];
  const offset = f.local("i32");
  const end = f.local("i32");
  const factorAt = f.local("i32");
  const row = f.local("i32");
  const cell = f.local("i32");
  const rowsLeft = f.local("i32");
  const sources = [wide, ...Array.from({ length: STREAMED_ROWS - 1 }, () => f.local("i32"))];
  const factors = sources.map(() => f.local("v128"));
  const sum = f.local("v128");
  const value = f.local("v128");

  const addRows = (count: number): void => {
    for (let u = 1; u < count; u++)
      f.get(sources[u - 1] ?? 0, wideStride)
        .op("i32.add")
        .set(sources[u] ?? 0);
    f.get(thin).set(factorAt).get(target).set(row).get(thinCount).set(rowsLeft);
    countDown(f, rowsLeft, 1, () => {
      for (let u = 0; u < count; u++)
        f.get(factorAt)
          .memory("v128.load32_splat", u * 4)
          .set(factors[u] ?? 0);
      f.i32(0).set(offset);
      forUpTo(f, offset, end, 16, () => {
        for (let u = 0; u < count; u++) {
          f.get(sources[u] ?? 0, offset)
            .op("i32.add")
            .memory("v128.load")
            .set(value);
          if (u === 0)
            f.get(value, factors[0] ?? 0)
              .op("f32x4.mul")
              .set(sum);
          else multiplyAdd(f, relaxed, value, factors[u] ?? 0, sum);
        }
        f.get(row, offset).op("i32.add").tee(cell).get(cell).memory("v128.load").get(sum).op("f32x4.add");
        f.memory("v128.store");
      });
      advance(advance(f, factorAt, thinStride), row, targetStride);
    });
  };

  f.get(wideCount).i32(2).op("i32.shl").set(end);
  f.block(() => {
    f.loop(() => {
      f.get(depth).i32(STREAMED_ROWS).op("i32.lt_u").brIf(1);
      addRows(STREAMED_ROWS);
      f.get(sources[STREAMED_ROWS - 1] ?? 0, wideStride)
        .op("i32.add")
        .set(wide);
      advanceBy(advanceBy(f, thin, STREAMED_ROWS * 4), depth, -STREAMED_ROWS).br(0);
    });
  });
  f.get(depth).if(() => {
    countDown(f, depth, 1, () => {
      addRows(1);
      advanceBy(advance(f, wide, wideStride), thin, 4);
    });
  });
}

function addVectors(f: FunctionBuilder): void {
  const [source, target, byteLength] = [0, 1, 2];
  const at = f.local("i32");
  countDown(f, byteLength, 16, () => {
    f.get(target, byteLength).op("i32.add").i32(16).op("i32.sub").tee(at).get(at).memory("v128.load");
    f.get(source, byteLength).op("i32.add").i32(16).op("i32.sub").memory("v128.load");
    f.op("f32x4.add").memory("v128.store");
  });
}
