/** What the JavaScript engine can do, asked once and by trial, and flags of it that a compilation takes. Knows no kernel and no array. */
import type { OwnBytes } from "../../base/elements.ts";

/** What is asked of every engine; relaxed SIMD and wide vectors are tried by those who would use them. */
export interface EngineFeatures {
  /** Whether memory can be shared with other threads: everywhere but in pages that are not cross-origin isolated. */
  readonly sharedMemory: boolean;
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

const OPTIMIZE: readonly string[] = ["no-liftoff", "no-wasm-lazy-compilation"];

const WIDEN = "experimental-wasm-revectorize";

let allowsFlags: boolean | undefined;
let features: EngineFeatures | undefined;
let standingFlags: readonly string[] = [];

/** What the engine can do. The first call finds out. */
export function engineFeatures(): EngineFeatures {
  features ??= {
    sharedMemory: hasSharedMemory(),
    mayBlock: mayBlock(),
    hardwareThreads: hardwareThreads(),
  };
  return features;
}

/** The engine flags that may allow relaxed SIMD where it is not allowed without; only Node 20 needs one. */
export function relaxedSimdFlags(): readonly string[] {
  return canSetFlags() ? ["experimental-wasm-relaxed-simd"] : [];
}

/** Lets {@link compileModule} set these engine flags around each compilation from now on. */
export function keepFlags(flags: readonly string[]): void {
  standingFlags = flags;
}

/** The compiled module; the flags of {@link keepFlags} and those that the options ask for are in force while it compiles. */
export function compileModule(bytes: OwnBytes, options: CompileOptions = {}): WebAssembly.Module {
  const wanted = [
    ...standingFlags,
    ...(options.optimize === true ? OPTIMIZE : []),
    ...(options.widen === true ? [WIDEN] : []),
  ];
  return compileWithFlags(bytes, wanted);
}

/** The value of an environment variable, where there is an environment and it may be read: Deno asks whoever runs it. */
export function environmentVariable(name: string): string | undefined {
  try {
    const value = propertyOf(globalThis, "process", "env", name);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
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

/** The compiled module, with `wanted` in force while it compiles, where flags may be set. */
export function compileWithFlags(bytes: OwnBytes, wanted: readonly string[]): WebAssembly.Module {
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
