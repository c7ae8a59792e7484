/** Finds out by trial how wide a tile of a matrix product this engine should have. */

import { ModuleBuilder } from "./assembler.ts";
import { canWiden, compileModule } from "./engine-features.ts";
import { multiply, TAIL_ROWS, TILE_ROWS, type TileColumns } from "./gemm-tile.ts";

/** The trial's product. */
const [ROWS, COLUMNS, DEPTH] = [2 * TILE_ROWS + TAIL_ROWS, 32, 192];
/** Where its operands and result lie, in floats. */
const [LEFT, RIGHT, TARGET] = [0, 1 << 12, 1 << 14];
/** How much faster a wide tile must be. */
const LEAST_GAIN = 1.25;

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
  const type = { params: new Array<"i32">(7).fill("i32"), results: [] };
  for (const columns of [8, 16] as const)
    module.addFunction(`multiply${columns}`, type, (f) => multiply(f, true, columns));
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const compiled = compileModule(module.build(), { optimize: true, widen: true });
  const { exports } = new WebAssembly.Instance(compiled, { e: { m: memory } });
  const floats = new Float32Array(memory.buffer);
  const results = ([8, 16] as const).map((columns) => {
    for (let i = 0; i < ROWS * DEPTH; i++) floats[LEFT + i] = Math.sin(i);
    for (let k = 0; k < DEPTH; k++) {
      for (let j = 0; j < COLUMNS; j++) {
        floats[RIGHT + (j - (j % columns)) * DEPTH + k * columns + (j % columns)] = Math.sin(j * DEPTH - k);
      }
    }
    const run = exports[`multiply${columns}`];
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 12; round++) {
      const begin = performance.now();
      for (let i = 0; i < 4; i++) {
        if (typeof run === "function")
          run(LEFT * 4, RIGHT * 4, TARGET * 4, COLUMNS * 4, DEPTH, ROWS, COLUMNS / columns);
      }
      best = Math.min(best, performance.now() - begin);
    }
    return { best, bits: new Uint32Array(memory.buffer, TARGET * 4, ROWS * COLUMNS).slice() };
  });
  const [narrow, wide] = results;
  if (!narrow || !wide) return false;
  return narrow.bits.every((bits, i) => bits === wide.bits[i]) && narrow.best > LEAST_GAIN * wide.best;
}
