/** Finds out by trial how wide a tile of a matrix product this engine should have. */

import { canWiden, compileModule } from "./engine-features.ts";
import { multiplyLibrary } from "./gemm-library.ts";
import { TAIL_ROWS, TILE_ROWS, type TileColumns } from "./gemm-tile.ts";
import type { MemoryOptions } from "./module-builder.ts";

/** The trial's product: whole tiles and a smaller one, several panels, and depths enough to tell speeds apart. */
const [ROWS, COLUMNS, DEPTH] = [2 * TILE_ROWS + TAIL_ROWS, 32, 64];
/** Where its operands and result lie, in floats. The right operand is there twice, in panels of either width. */
const [LEFT, TARGET] = [0, 3 << 11];
const RIGHT = { 8: 1 << 11, 16: 2 << 11 } as const;
/** How much faster a wide tile must be. */
const LEAST_GAIN = 1.25;
/** Rounds of the trial until it gives up, attempts of either width in each, products of an attempt. */
const [MOST_ROUNDS, ATTEMPTS, PRODUCTS] = [12, 4, 12];

let known: TileColumns | undefined;

/**
 * Columns of a tile: 16 where the engine makes vectors of twice the width out of pairs, gets the same bits and is faster by
 * that; 8 elsewhere. Newer versions of Node can be told to, see `MLX_TS_ENGINE_FLAGS`. The first call tries, in 2 ms: with
 * the very modules that products then use, whose code engines keep by their bytes.
 */
export function tileColumns(target: MemoryOptions & { readonly relaxed: boolean }): TileColumns {
  known ??= target.relaxed && canWiden() && isWideFaster(target) ? 16 : 8;
  return known;
}

function isWideFaster(target: MemoryOptions & { readonly relaxed: boolean }): boolean {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: target.shared });
  const floats = new Float32Array(memory.buffer);
  fillOperands(floats);
  const trials = ([8, 16] as const).map((columns) => {
    const { emit, options } = multiplyLibrary(columns);
    const { exports } = new WebAssembly.Instance(compileModule(emit(target), options), { e: { m: memory } });
    return { columns, run: exports.multiply, best: Number.POSITIVE_INFINITY, bits: new Uint32Array() };
  });
  // In turns, and again if need be: a busy machine must not make the wide tiles look slow for good.
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (const trial of trials) {
      const { columns, run } = trial;
      if (typeof run !== "function") return false;
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const begin = performance.now();
        for (let i = 0; i < PRODUCTS; i++)
          run(LEFT * 4, RIGHT[columns] * 4, TARGET * 4, COLUMNS * 4, DEPTH, ROWS, COLUMNS / columns);
        trial.best = Math.min(trial.best, performance.now() - begin);
      }
      trial.bits = new Uint32Array(memory.buffer, TARGET * 4, ROWS * COLUMNS).slice();
    }
    const [narrow, wide] = trials;
    if (!narrow || !wide || !narrow.bits.every((bits, i) => bits === wide.bits[i])) return false;
    if (round > 0 && narrow.best > LEAST_GAIN * wide.best) return true;
  }
  return false;
}

/** The left operand as one panel after the other, the right one twice: two panels of 8 columns make one of 16. */
function fillOperands(floats: Float32Array): void {
  for (let i = 0; i < ROWS * DEPTH; i++) floats[LEFT + i] = Math.sin(i);
  for (let i = 0; i < COLUMNS * DEPTH; i++) floats[RIGHT[8] + i] = Math.cos(i * i);
  for (let line = 0; line < COLUMNS * DEPTH; line += 8) {
    const [panel, k] = [Math.floor(line / (8 * DEPTH)), (line / 8) % DEPTH];
    const pair = (panel - (panel % 2)) * 8 * DEPTH;
    floats.copyWithin(RIGHT[16] + pair + k * 16 + (panel % 2) * 8, RIGHT[8] + line, RIGHT[8] + line + 8);
  }
}
