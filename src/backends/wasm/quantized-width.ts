/** Finds out by trial whether this engine makes wide vectors of the loop over packed weights, and the same bits. */

import { canWiden, compileModule } from "./engine-features.ts";
import { ModuleBuilder } from "./module-builder.ts";
import type { QuantizedLoop } from "./quantized-loop.ts";
import { floatsPerPair, multiplyPacked, PAIR_BYTES, quantizedLoopType, SPREAD_HEAD } from "./quantized-loop.ts";

const [OUTPUTS, GROUPS] = [5, 3];
/** Where the trial's operands lie, in bytes. */
const [WORDS, SCALES, BIASES, SPREAD, TARGET] = [0, 1 << 13, 1 << 14, 3 << 13, 1 << 15];

const known = new Map<string, boolean>();

/** Whether the loop may be compiled for wide vectors: where engine flags may be set and a trial gives the same bits. */
export function isPackedLoopWide(loop: QuantizedLoop, { relaxed }: { readonly relaxed: boolean }): boolean {
  const key = `${loop.bits},${loop.pairsPerGroup},${loop.rows}`;
  let isWide = known.get(key);
  if (isWide === undefined) {
    isWide = relaxed && canWiden() && hasSameBits(loop);
    known.set(key, isWide);
  }
  return isWide;
}

function hasSameBits(loop: QuantizedLoop): boolean {
  const [narrow, wide] = [false, true].map((widen) => {
    const module = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
    // Different names: engines keep compiled code by a module's bytes, whatever the flags.
    const name = widen ? "wide" : "narrow";
    module.addFunction(name, quantizedLoopType, (f) => multiplyPacked(f, true, loop));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const { exports } = new WebAssembly.Instance(compileModule(module.build(), { optimize: true, widen }), {
      e: { m: memory },
    });
    const words = new Uint32Array(memory.buffer);
    const floats = new Float32Array(memory.buffer);
    for (let i = 0; i < SCALES / 4; i++) words[WORDS / 4 + i] = Math.imul(i + 1, 2654435761);
    for (let i = 0; i < OUTPUTS * GROUPS; i++) {
      floats[SCALES / 4 + i] = Math.sin(i);
      floats[BIASES / 4 + i] = Math.cos(i);
    }
    words[SPREAD / 4] = 2 ** loop.bits - 1;
    const factors = floatsPerPair(loop) * loop.pairsPerGroup * GROUPS;
    for (let i = 0; i < factors; i++) floats[(SPREAD + SPREAD_HEAD) / 4 + i] = Math.sin(i * i);
    const run = exports[name];
    if (typeof run === "function") run(WORDS, SCALES, BIASES, SPREAD, TARGET, OUTPUTS, GROUPS);
    return new Uint32Array(memory.buffer, TARGET, (OUTPUTS * loop.rows * PAIR_BYTES) / 4).slice();
  });
  return narrow?.every((bits, i) => bits === wide?.[i]) ?? false;
}
