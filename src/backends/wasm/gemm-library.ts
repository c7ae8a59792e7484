/** Emits the inner loops of float32 matrix products as modules that products share. Knows addresses and strides. */

import "./other-opcodes.ts";
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import type { CompileOptions } from "./engine-features.ts";
import { addDots } from "./gemm-dots.ts";
import { takesIntegers } from "./gemm-loops.ts";
import { copyRows, gather, ladder, packCopies, packLines } from "./gemm-packing.ts";
import { addScaledRows, addVectors } from "./gemm-rows.ts";
import { multiply, TILE_ROWS, type TileColumns } from "./gemm-tile.ts";
import type { KernelLibrary } from "./kernel-code.ts";
import { ModuleBuilder } from "./module-builder.ts";

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
