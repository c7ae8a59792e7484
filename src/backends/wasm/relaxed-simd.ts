/** Whether the engine has relaxed SIMD, found out by trial when a kernel would use it. Knows no kernel and no array. */

import { compileWithFlags, keepFlags, relaxedSimdFlags } from "./engine-features.ts";
import { ModuleBuilder } from "./module-builder.ts";

/** What is known of relaxed SIMD. */
export interface RelaxedSimd {
  /** Whether relaxed multiply-add and lane select compile (see `compileModule`) and compute right. */
  readonly isRight: boolean;
  /** Engine flags that allow it, in Node 20. */
  readonly flags: readonly string[];
}

let known: RelaxedSimd | undefined;

/** What the engine can do. The first call probes it, in about a millisecond. */
export function relaxedSimd(): RelaxedSimd {
  if (!known) {
    const isPlain = isRight([]);
    const flags = isPlain ? [] : relaxedSimdFlags().filter((flag) => isRight([flag]));
    known = { isRight: isPlain || flags.length > 0, flags };
    keepFlags(flags);
  }
  return known;
}

/**
 * Takes what another thread of the process has found out about the engine for true: a probe of this thread's own could be
 * misled by flags that other threads set just then.
 */
export function assumeRelaxedSimd(found: RelaxedSimd): void {
  known = found;
  keepFlags(found.flags);
}

/**
 * Whether relaxed multiply-add and lane select compile under these flags and compute right.
 *
 * a·b + c with a = b = 1 + 2⁻¹² and c = −(1 + 2⁻¹¹): the exact product has one bit more than a float32 keeps, so a fused
 * operation gives 2⁻²⁴ and two roundings give 0. Anything else is wrong. The other lanes are exact either way, and the
 * test runs chained operations that share operands, where baseline compilers have overwritten one. Its name is new each time:
 * an engine may answer the same bytes with what another thread or copy of the library has compiled under flags.
 */
function isRight(flags: readonly string[]): boolean {
  const builder = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
  const name = String(Math.random());
  builder.addFunction(name, { params: [], results: [] }, (f) => {
    const [a, b, c, once] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
    for (const [index, local] of [a, b, c].entries())
      f.i32(0)
        .memory("v128.load", index * 16)
        .set(local);
    f.get(a, b, c).op("f32x4.relaxed_madd").set(once);
    f.i32(0).get(once).memory("v128.store", 48);
    f.i32(0)
      .get(a, b, once)
      .op("f32x4.relaxed_madd")
      .get(a)
      .op("f32x4.sub")
      .get(a)
      .op("f32x4.add")
      .memory("v128.store", 64);
    f.i32(0).get(b, c, a, c).op("f32x4.gt").op("i32x4.relaxed_laneselect");
    f.get(b).op("f32x4.add").get(c).op("f32x4.add").memory("v128.store", 80);
  });
  try {
    const module = compileWithFlags(builder.build(), flags);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const run = new WebAssembly.Instance(module, { e: { m: memory } }).exports[name];
    if (typeof run !== "function") return false;
    const lanes = new Float32Array(memory.buffer);
    lanes.set([1 + 2 ** -12, 3, -2, 0.5], 0);
    lanes.set([1 + 2 ** -12, 5, 7, 8], 4);
    lanes.set([-(1 + 2 ** -11), 1, 2, -4], 8);
    run();
    const [tiny = 0, ...exact] = lanes.subarray(12, 16);
    const rest = String([...lanes.subarray(17, 24)]);
    return (tiny === 2 ** -24 || tiny === 0) && String(exact) === "16,-12,0" && rest === "31,-26,4,1,11,11,12";
  } catch {
    return false;
  }
}
