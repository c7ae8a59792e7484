/** Finds out by trial how wide a tile of a matrix product this engine should have. */

import { ModuleBuilder } from "./assembler.ts";
import { canWiden, compileModule } from "./engine-features.ts";
import { takesIntegers } from "./gemm-loops.ts";
import { multiply, TAIL_ROWS, TILE_ROWS, type TileColumns } from "./gemm-tile.ts";

/** The trial's product. */
const [ROWS, COLUMNS, DEPTH] = [2 * TILE_ROWS + TAIL_ROWS, 32, 192];
/** Where its operands and result lie, in floats. */
const [LEFT, TARGET] = [0, 5 << 12];
/** Where the right operand lies, in panels of so many columns. */
const RIGHT = { 8: 1 << 12, 16: 3 << 12 } as const;
/** How much faster a wide tile must be. */
const LEAST_GAIN = 1.25;
/** Rounds of the trial until it gives up. */
const MOST_ROUNDS = 12;

let known: TileColumns | undefined;

/**
 * Columns of a tile: 16 where the engine makes vectors of twice the width out of pairs, gets the same bits and is faster by
 * that; 8 elsewhere. Newer versions of Node can be told to, see `MLX_TS_ENGINE_FLAGS`. The first call tries, in 5 ms.
 */
export function tileColumns({ relaxed }: { readonly relaxed: boolean }): TileColumns {
  known ??= relaxed && canWiden() && isWideFaster() ? 16 : 8;
  return known;
}

function isWideFaster(): boolean {
  const module = new ModuleBuilder({ shared: false, minimumPages: 2, maximumPages: 2 });
  const type = takesIntegers(7);
  for (const columns of [8, 16] as const)
    module.addFunction(`multiply${columns}`, type, (f) => multiply(f, true, columns));
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const compiled = compileModule(module.build(), { optimize: true, widen: true });
  const { exports } = new WebAssembly.Instance(compiled, { e: { m: memory } });
  const floats = new Float32Array(memory.buffer);
  fillOperands(floats);
  const trials = ([8, 16] as const).map((columns) => ({
    columns,
    run: exports[`multiply${columns}`],
    best: Number.POSITIVE_INFINITY,
    bits: new Uint32Array(),
  }));
  // In turns, and again if need be: a busy machine must not make the wide tiles look slow for good.
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (const trial of trials) {
      const { columns, run } = trial;
      if (typeof run !== "function") return false;
      for (let attempt = 0; attempt < 4; attempt++) {
        const begin = performance.now();
        for (let i = 0; i < 4; i++)
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

/** The left operand as one panel after the other, the right one twice, in panels of either width. */
function fillOperands(floats: Float32Array): void {
  for (let i = 0; i < ROWS * DEPTH; i++) floats[LEFT + i] = Math.sin(i);
  for (let k = 0; k < DEPTH; k++) {
    for (let j = 0; j < COLUMNS; j++) {
      const value = Math.sin(j * DEPTH - k);
      for (const width of [8, 16] as const)
        floats[RIGHT[width] + (j - (j % width)) * DEPTH + k * width + (j % width)] = value;
    }
  }
}
