/** What the JavaScript engine can do, asked once and by trial, never by its version. Knows no kernel and no array. */
import type { OwnBytes } from "../../base/elements.ts";
import { ModuleBuilder } from "./assembler.ts";

/** The answers of one probe. */
export interface EngineFeatures {
  /** Whether memory can be shared with other threads: everywhere but in pages that are not cross-origin isolated. */
  readonly sharedMemory: boolean;
  /** Whether relaxed multiply-add and lane select compile (see {@link compileModule}) and compute right. */
  readonly relaxedSimd: boolean;
  /** Whether a relaxed multiply-add rounds once (a fused one) or after each of its two steps. */
  readonly fusedMultiplyAdd: boolean;
  /** Engine flags that {@link compileModule} sets around each compilation, for example to allow relaxed SIMD in Node 20. */
  readonly flags: readonly string[];
  /** Whether this thread may block in `Atomics.wait`; the main thread of a page may not. */
  readonly mayBlock: boolean;
  /** Number of hardware threads, at least 1. */
  readonly hardwareThreads: number;
}

/** How `compileModule` treats one module. */
export interface CompileOptions {
  /**
   * Whether to optimize the whole module before it first runs where the engine can be told so, instead of starting in
   * its baseline compiler and improving hot functions later. Costs milliseconds; for large kernels that run long.
   */
  readonly optimize?: boolean;
  /**
   * Whether the engine may make one vector of twice the width of two neighbouring ones, where it can be told so. That is
   * experimental: only for modules whose functions were tried under it.
   */
  readonly widen?: boolean;
}

const RELAXED_SIMD = "experimental-wasm-relaxed-simd";

const OPTIMIZE: readonly string[] = ["no-liftoff", "no-wasm-lazy-compilation"];

const WIDEN = "experimental-wasm-revectorize";

let allowsFlags: boolean | undefined;
let features: EngineFeatures | undefined;

/** What the engine can do. The first call probes it, in about a millisecond. */
export function engineFeatures(): EngineFeatures {
  features ??= probe();
  return features;
}

/**
 * Takes what another thread of the process has found out about the engine for true: a probe of this thread's own could be
 * misled by flags that other threads set just then.
 */
export function assumeEngine(known: Pick<EngineFeatures, "relaxedSimd" | "fusedMultiplyAdd" | "flags">): void {
  const { relaxedSimd, fusedMultiplyAdd, flags } = known;
  features = { ...engineFeatures(), relaxedSimd, fusedMultiplyAdd, flags };
}

/** The compiled module, with the engine flags of {@link engineFeatures} in force while it compiles. */
export function compileModule(bytes: OwnBytes, options: CompileOptions = {}): WebAssembly.Module {
  const { flags } = engineFeatures();
  const wanted = [
    ...(flags.length > 0 ? [RELAXED_SIMD] : []),
    ...(options.optimize === true ? OPTIMIZE : []),
    ...(options.widen === true ? [WIDEN] : []),
  ];
  return compileWithFlags(bytes, wanted);
}

/** The value of an environment variable, where there is an environment. */
export function environmentVariable(name: string): string | undefined {
  const value = propertyOf(globalThis, "process", "env", name);
  return typeof value === "string" ? value : undefined;
}

/** One of Node's own modules (also in Deno and Bun), without an import that a browser's bundler would stumble over. */
export function builtinModule(name: string): unknown {
  try {
    return callMember(propertyOf(globalThis, "process"), "getBuiltinModule", name);
  } catch {
    return undefined;
  }
}

/** What a method of a value of unknown type returns; undefined if there is no such method. */
export function callMember(target: unknown, method: string, ...values: readonly unknown[]): unknown {
  const member = propertyOf(target, method);
  return typeof member === "function" ? Reflect.apply(member, target, values) : undefined;
}

/** A property of a value of unknown type, or of that property, and so on; undefined where there is none. */
export function propertyOf(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((owner, key) => Reflect.get(Object(owner), key), value);
}

function probe(): EngineFeatures {
  const plain = probeRelaxed([]);
  const isFused = plain ?? probeRelaxed([RELAXED_SIMD]);
  return {
    sharedMemory: hasSharedMemory(),
    mayBlock: mayBlock(),
    hardwareThreads: hardwareThreads(),
    relaxedSimd: isFused !== undefined,
    fusedMultiplyAdd: isFused ?? false,
    flags: plain === isFused ? [] : [`--${RELAXED_SIMD}`],
  };
}

/** Where there is no `SharedArrayBuffer`, naming it throws. */
function hasSharedMemory(): boolean {
  if (propertyOf(globalThis, "crossOriginIsolated") === false) return false;
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return memory.buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

function mayBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

function hardwareThreads(): number {
  const parallelism = callMember(builtinModule("node:os"), "availableParallelism");
  const known = Number(parallelism ?? propertyOf(globalThis, "navigator", "hardwareConcurrency"));
  return known >= 1 ? Math.floor(known) : 1;
}

/**
 * Whether relaxed multiply-add is fused; undefined if it or relaxed lane select do not compile under these flags, or compute
 * wrong.
 *
 * a·b + c with a = b = 1 + 2⁻¹² and c = −(1 + 2⁻¹¹): the exact product has one bit more than a float32 keeps, so a fused
 * operation gives 2⁻²⁴ and two roundings give 0. Anything else is wrong. The other lanes are exact either way, and the
 * test runs chained operations that share operands, where baseline compilers have overwritten one. Its name is new each time:
 * an engine may answer the same bytes with what another thread or copy of the library has compiled under flags.
 */
function probeRelaxed(flags: readonly string[]): boolean | undefined {
  if (flags.length > 0 && !canSetFlags()) return undefined;
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
    if (typeof run !== "function") return undefined;
    const lanes = new Float32Array(memory.buffer);
    lanes.set([1 + 2 ** -12, 3, -2, 0.5], 0);
    lanes.set([1 + 2 ** -12, 5, 7, 8], 4);
    lanes.set([-(1 + 2 ** -11), 1, 2, -4], 8);
    run();
    const [tiny = 0, ...exact] = lanes.subarray(12, 16);
    const isFused = tiny === 2 ** -24;
    const rest = String([...lanes.subarray(17, 24)]);
    const isRight = (isFused || tiny === 0) && String(exact) === "16,-12,0" && rest === "31,-26,4,1,11,11,12";
    return isRight ? isFused : undefined;
  } catch {
    return undefined;
  }
}

function compileWithFlags(bytes: OwnBytes, wanted: readonly string[]): WebAssembly.Module {
  const usable = canSetFlags() ? wanted.filter((flag) => !isChosenByUser(flag)) : [];
  if (usable.length === 0) return new WebAssembly.Module(bytes);
  // Flags belong to the process: between our setting them and the compilation another thread may set them back.
  for (let attempt = 0; ; attempt++) {
    try {
      for (const flag of usable) setFlag(flag);
      return new WebAssembly.Module(bytes);
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError) || attempt === 2) throw error;
    } finally {
      for (const flag of usable) setFlag(flag.startsWith("no-") ? flag.slice(3) : `no-${flag}`);
    }
  }
}

/**
 * Whether {@link CompileOptions.widen} may have an effect; trying decides. An engine that does not know the flag would
 * complain on the process's error stream, so this much is read off the version.
 */
export function canWiden(): boolean {
  return canSetFlags() && Number.parseInt(String(propertyOf(globalThis, "process", "versions", "v8")), 10) >= 13;
}

/** Whether flags of the engine may be set while a kernel compiles, and set back right after. Only Node has such flags. */
function canSetFlags(): boolean {
  allowsFlags ??=
    environmentVariable("MLX_TS_ENGINE_FLAGS") !== "0" &&
    typeof propertyOf(builtinModule("node:v8"), "setFlagsFromString") === "function";
  return allowsFlags;
}

/** Sets a flag; an engine that does not know it, or has no flags after all, compiles without. */
function setFlag(flag: string): void {
  try {
    callMember(builtinModule("node:v8"), "setFlagsFromString", `--${flag}`);
  } catch {
    // compiled without, as said above
  }
}

/** Whether the process was started with a word on this flag, for or against it, which setting it back would then change. */
function isChosenByUser(flag: string): boolean {
  const started = propertyOf(globalThis, "process", "execArgv");
  const words = Array.isArray(started) ? started.map(String).join(" ") : "";
  return `${words} ${environmentVariable("NODE_OPTIONS") ?? ""}`
    .replaceAll("_", "-")
    .includes(flag.replace(/^no-/, ""));
}
