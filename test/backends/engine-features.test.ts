/** The probe of the engine: its answers agree with what the engine then does. */
import { describe, expect, it } from "vitest";
import { compileModule, engineFeatures } from "../../src/backends/wasm/engine-features.ts";
import { ModuleBuilder } from "../../src/backends/wasm/module-builder.ts";
import { relaxedSimd } from "../../src/backends/wasm/relaxed-simd.ts";
import type { OwnBytes } from "../../src/base/elements.ts";

function relaxedModule(): OwnBytes {
  const builder = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
  builder.addFunction("run", { params: ["i32"], results: [] }, (f) => {
    f.get(0, 0).memory("v128.load").get(0).memory("v128.load", 16).get(0).memory("v128.load", 32);
    f.op("f32x4.relaxed_madd").memory("v128.store", 48);
  });
  return builder.build();
}

describe("engine features", () => {
  it("names at least one hardware thread", () => {
    expect(engineFeatures().hardwareThreads).toBeGreaterThanOrEqual(1);
  });

  it("a relaxed instruction compiles exactly where the probe trusts it", () => {
    const compile = (): WebAssembly.Module => compileModule(relaxedModule());
    if (relaxedSimd().isRight) expect(compile()).toBeInstanceOf(WebAssembly.Module);
    else expect(compile).toThrow(WebAssembly.CompileError);
  });

  it("an optimized compilation computes the same", () => {
    const builder = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
    builder.addFunction("add", { params: ["i32", "i32"], results: ["i32"] }, (f) => {
      f.get(0, 1).op("i32.add");
    });
    const module = compileModule(builder.build(), { optimize: true });
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const add = new WebAssembly.Instance(module, { e: { m: memory } }).exports.add;
    expect(typeof add === "function" && add(2, 3)).toBe(5);
  });

  it("shared memory is there in Node and in a cross-origin isolated page", () => {
    expect(engineFeatures().sharedMemory).toBe(true);
  });
});
