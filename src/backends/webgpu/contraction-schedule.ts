/** How the GPU computes a product: tiles, who computes what of a tile, and into how many parts long sums are cut. */
import type { Expr } from "../../ir/expr.ts";
import type { ContractionKernel } from "../../ir/kernel.ts";
import type { GpuTarget } from "./kernel-code.ts";
import { multipliesHalves } from "./subgroup-matrices.ts";

/** A product by tiles of `rows` × `columns`, which pass through workgroup memory `depth` products at a time. */
export interface TileSchedule {
  readonly kind: "tile";
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** What one thread computes of a tile; multiples of four. */
  readonly threadRows: number;
  readonly threadColumns: number;
  /** Sets of threads that share the sums of a tile. */
  readonly teams: number;
  /** Copies of the staged operands in workgroup memory: with two, one is filled while the other is read. */
  readonly stages: 1 | 2;
  /** Products of a tile that are written out; less than `depth` makes a loop of them. */
  readonly unrolled: number;
  /** Workgroups that share the sums of a tile; a second dispatch adds up what they found. */
  readonly slices: number;
}

/** A product of 16-bit floats by the matrix operations of subgroups, in tiles of 128 rows. */
export interface MatrixSchedule {
  readonly kind: "matrix";
  readonly columns: 128 | 256;
  readonly slices: number;
}

/** A small product, or one with a single row or column, as a loop nest. */
export interface LoopSchedule {
  readonly kind: "loop";
}

/** How a product is computed. */
export type ContractionSchedule = TileSchedule | MatrixSchedule | LoopSchedule;

/** Lengths of a product. */
export interface ProductShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

type Tile = Omit<TileSchedule, "slices">;

/** Most work per byte that is staged: measured on an H100, 48 TFLOP/s. */
const large: Tile = {
  kind: "tile",
  rows: 128,
  columns: 128,
  depth: 8,
  threadRows: 8,
  threadColumns: 8,
  teams: 1,
  stages: 2,
  unrolled: 8,
};
/** For a quarter of the results: 44 TFLOP/s there. */
const medium: Tile = {
  kind: "tile",
  rows: 64,
  columns: 64,
  depth: 16,
  threadRows: 8,
  threadColumns: 8,
  teams: 1,
  stages: 1,
  unrolled: 16,
};
/** For few results: four teams make up for workgroups that are missing. */
const small: Tile = {
  kind: "tile",
  rows: 32,
  columns: 32,
  depth: 16,
  threadRows: 4,
  threadColumns: 4,
  teams: 4,
  stages: 1,
  unrolled: 16,
};

/** Workgroups with which a tile is worth its size: most of the places that an H100 has for such. */
const busy = { large: 192, medium: 96, small: 96, wideMatrices: 96 } as const;

/** Products per result from which a second team makes up for the joining: 8 to 20 % there with 1,024. */
const leastForTeams = 512;

/** The least sum that a slice is worth. */
const leastSlice = 256;

/** Partial sums that may lie in scratch memory. */
const mostPartialSums = 2 ** 22;

/** Multiplications, and products per result, up to which a loop nest takes no longer. */
const fewMultiplications = 2 ** 18;
const fewProducts = 256;

/** Chooses how `kernel` is computed. */
export function contractionSchedule(kernel: ContractionKernel, target: GpuTarget): ContractionSchedule {
  const shape = shapeOf(kernel);
  const { batch, m, n, k } = shape;
  if (target.isSoftware || m === 1 || n === 1 || (batch * m * n * k <= fewMultiplications && k <= fewProducts))
    return { kind: "loop" };
  const canSlice = kernel.slots.length < target.storageBuffers;
  if (isForMatrices(kernel, target)) {
    const tilesOf = (columns: number): number => batch * Math.ceil(m / 128) * Math.ceil(n / columns);
    const canBeWide = target.workgroupBytes >= wideMatrixBytes && target.workgroupThreads >= 256;
    if (canBeWide && tilesOf(256) >= busy.wideMatrices) return { kind: "matrix", columns: 256, slices: 1 };
    return { kind: "matrix", columns: 128, slices: canSlice ? slicesFor(tilesOf(128), shape) : 1 };
  }
  const tilesOf = ({ rows, columns }: Tile): number => batch * Math.ceil(m / rows) * Math.ceil(n / columns);
  const fits = (tile: Tile): boolean => m > tile.rows / 2 && n > tile.columns / 2;
  if (fits(large) && tilesOf(large) >= busy.large) return { ...large, slices: 1 };
  if (fits(medium) && tilesOf(medium) >= busy.medium)
    return { ...medium, teams: k >= leastForTeams ? 2 : 1, slices: 1 };
  return { ...small, slices: canSlice ? slicesFor(tilesOf(small), shape) : 1 };
}

/** Rows and columns, and products per result, from which matrix operations pay. */
const leastForMatrices = 64;
/** Bytes of workgroup memory that they take at most, in tiles of 128 and of 256 columns. */
const matrixBytes = 20 * 1024;
const wideMatrixBytes = 38 * 1024;

/** Whether both operands hold 16-bit floats, and the target multiplies 16 × 16 of them in subgroups of 32. */
function isForMatrices({ left, right, m, n, k }: ContractionKernel, target: GpuTarget): boolean {
  if (!multipliesHalves(target) || target.workgroupBytes < matrixBytes) return false;
  if (halfOperand(left) === null || halfOperand(right) === null) return false;
  return [m, n, k].every(({ length }) => length >= leastForMatrices);
}

/** The float16 expression that `expr` is, or is converted from without a loss; null if it is none. */
export function halfOperand(expr: Expr): Expr | null {
  if (expr.dtype === "float16") return expr;
  const [source] = expr.args;
  return expr.op === "cast" && expr.dtype === "float32" && source?.dtype === "float16" ? source : null;
}

/** The lengths of `kernel`, batch axes as one. */
export function shapeOf({ batch, m, n, k }: ContractionKernel): ProductShape {
  return {
    batch: batch.reduce((product, { length }) => product * length, 1),
    m: m.length,
    n: n.length,
    k: k.length,
  };
}

/** `schedule` in one line. */
export function printSchedule(schedule: ContractionSchedule): string {
  switch (schedule.kind) {
    case "loop":
      return "loop";
    case "matrix":
      return `matrix, 128×${schedule.columns}, slices ${schedule.slices}`;
    case "tile": {
      const { rows, columns, depth, threadRows, threadColumns, teams, stages, unrolled, slices } = schedule;
      const parts = `teams ${teams}, stages ${stages}, unrolled ${unrolled}, slices ${slices}`;
      return `tile ${rows}×${columns}×${depth}, thread ${threadRows}×${threadColumns}, ${parts}`;
    }
  }
}

/** Parts of the sums so that enough workgroups have work, none of them too short. */
function slicesFor(tiles: number, { batch, m, n, k }: ProductShape): number {
  if (tiles * 2 > busy.small) return 1;
  const most = Math.floor(mostPartialSums / (batch * m * n));
  return Math.max(1, Math.min(Math.floor(busy.small / tiles), Math.floor(k / leastSlice), most));
}
