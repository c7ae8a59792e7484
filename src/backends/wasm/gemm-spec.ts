/** What a float32 matrix product is made of: its lengths, its operands and where its result goes. */

import type { FunctionType } from "./assembler.ts";
import type { TileColumns } from "./gemm-tile.ts";
import type { KernelLibrary } from "./kernel-code.ts";

/**
 * An operand in memory: element (batch, lane, k) lies at `*(argumentsPointer + pointerOffset) + offset + …strides`, all in
 * bytes. A *lane* is a row of the left operand, a column of the right one; k runs along the axis that is summed.
 */
export interface StridedOperand {
  readonly kind: "strided";
  /** Where in the argument block the operand's address stands. */
  readonly pointerOffset: number;
  readonly offset: number;
  /** One for each batch axis; all 0 for an operand that every batch shares. */
  readonly batchStrides: readonly number[];
  readonly laneStride: number;
  readonly depthStride: number;
}

/**
 * An operand that a function computes, block by block; see {@link loadType}. Blocks have at most 64 lanes and 64 depths,
 * or all lanes and depths if there are at most 16 lanes.
 */
export interface ComputedOperand {
  readonly kind: "computed";
  /** Handle of the function, of type {@link loadType}. */
  readonly load: number;
  /** The axis along which it computes vectors: a line of the block is contiguous along it. */
  readonly contiguous: "lane" | "depth";
  /** Whether all batches share it. */
  readonly isShared: boolean;
  /** Whether narrower tiles would read it in its runs. It is packed then, as they pack it: a result's bits must not depend on tiles. */
  readonly isInRuns: boolean;
}

/**
 * An operand that lies in runs of `run` elements along one of its axes, each run anywhere: the windows of a convolution.
 * Only packed products take it. Runs along lanes are whole panels, or as long as there are lanes.
 */
export interface LocatedOperand {
  readonly kind: "located";
  /** Handle of the function, of type {@link tabulateType}. */
  readonly tabulate: number;
  readonly tableCount: number;
  /** Handle of the function, of type {@link locateType}. */
  readonly locate: number;
  readonly contiguous: "lane" | "depth";
  readonly run: number;
  readonly isShared: boolean;
}

/** A left or right operand. */
export type GemmOperand = StridedOperand | ComputedOperand | LocatedOperand;

/** Where results go: to memory as they are, rows contiguous, or through a function of type {@link storeType}. */
export type GemmOutput =
  | {
      readonly kind: "strided";
      readonly pointerOffset: number;
      readonly offset: number;
      readonly batchStrides: readonly number[];
      readonly rowStride: number;
    }
  | { readonly kind: "computed"; readonly store: number };

/**
 * `load(argumentsPointer, batch, laneBegin, laneEnd, depthBegin, depthEnd, destination, lineStride)` writes a block of an
 * operand as float32. For `contiguous: "lane"` element (lane, k) goes to
 * `destination + (k − depthBegin) · lineStride + (lane − laneBegin) · 4`, for "depth" lane and k change places. It may
 * write up to 3 elements past the end of each line.
 */
export const loadType: FunctionType = { params: ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"], results: [] };

/**
 * `tabulate(argumentsPointer, batch, lineBegin, lineEnd, tables)` prepares for `locate` what depends on the line alone: a
 * line is a lane if runs lie along depths, a depth if they lie along lanes.
 */
export const tabulateType: FunctionType = { params: ["i32", "i32", "i32", "i32", "i32"], results: [] };

/**
 * `locate(argumentsPointer, batch, lineCount, run, first, tables, table, zeros)` writes a table of 32-bit addresses: where
 * element `first` of the run lies for each line. A run of nothing but zeros lies at `zeros`, whatever `first`. Up to three
 * addresses past the last are written.
 */
export const locateType: FunctionType = loadType;

/**
 * `store(argumentsPointer, batch, rowBegin, rowEnd, columnBegin, columnEnd, sums, rowStride)` takes a block of finished
 * sums, still in the cache: that of (row, column) is the float32 at
 * `sums + (row − rowBegin) · rowStride + (column − columnBegin) · 4`. Vector loads may reach past the end of a row.
 */
export const storeType: FunctionType = loadType;

/** `C[batch, row, column] = Σₖ left[batch, row, k] · right[batch, k, column]`; every length is at least 1. */
export interface GemmSpec {
  /** Lengths of the batch axes; their row-major index is the `batch` that functions get. */
  readonly batchLengths: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly left: GemmOperand;
  readonly right: GemmOperand;
  readonly output: GemmOutput;
  /** Where in the argument block the address of the scratch memory stands; it must be a multiple of 64. */
  readonly scratchOffset: number;
  /** Bound of the thread numbers that functions get. Affects how work is cut, never a result's bits. */
  readonly threadCount: number;
  /** Columns of a tile; asked for by packed products alone. */
  readonly tileColumns: TileColumns;
}

/** An exported function `name(argumentsPointer, begin, end, thread)` that the pool runs over its items. */
export interface GemmPhase {
  readonly name: string;
  readonly itemCount: number;
  readonly itemsPerChunk: number;
  /** Estimated instructions in all. */
  readonly work: number;
}

/** What was emitted: phases to run in order, and the scratch memory they need. */
export interface GemmCode {
  readonly phases: readonly GemmPhase[];
  readonly scratchBytes: number;
  /** Whose functions the phases call. */
  readonly library: KernelLibrary;
}
