/** Modules written byte by byte do what their instructions say. */
import { describe, expect, it } from "vitest";
import type { FunctionBuilder, FunctionType } from "../../src/backends/wasm/assembler.ts";
import { ModuleBuilder } from "../../src/backends/wasm/module-builder.ts";
import "../../src/backends/wasm/other-opcodes.ts";
import { opcodeOf } from "../../src/backends/wasm/opcodes.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });

type Exported = (...values: (number | bigint)[]) => number | bigint | undefined;

function load(builder: ModuleBuilder, imports: Record<string, WebAssembly.ImportValue> = {}): Record<string, Exported> {
  const bytes = builder.build();
  expect(WebAssembly.validate(bytes)).toBe(true);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: memory, ...imports } });
  const exported: Record<string, Exported> = {};
  for (const [name, value] of Object.entries(instance.exports)) {
    if (typeof value === "function") exported[name] = (...values) => value(...values);
  }
  return exported;
}

const newModule = (): ModuleBuilder => new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 2 });

/** Builds one function and calls it. */
function run(type: FunctionType, body: (f: FunctionBuilder) => void, ...values: (number | bigint)[]): unknown {
  const module = newModule();
  module.addFunction("f", type, body);
  return load(module).f?.(...values);
}

const returns = (type: "i32" | "i64" | "f32" | "f64"): FunctionType => ({ params: [], results: [type] });

describe("opcodes", () => {
  it.each([
    ["i32.eqz", 0x45, 0],
    ["i64.ge_u", 0x5a, 0],
    ["i32.shr_u", 0x76, 0],
    ["i64.shr_u", 0x88, 0],
    ["f32.mul", 0x94, 0],
    ["f64.mul", 0xa2, 0],
    ["i32.trunc_f64_s", 0xaa, 0],
    ["f32.demote_f64", 0xb6, 0],
    ["f64.ge", 0x66, 0],
    ["f64.promote_f32", 0xbb, 0],
    ["i64.trunc_sat_f64_u", 0xfc007, 0],
    ["i32x4.ge_u", 0xfd040, 0],
    ["f64x2.ge", 0xfd04c, 0],
    ["v128.any_true", 0xfd053, 0],
    ["i8x16.narrow_i16x8_u", 0xfd066, 0],
    ["i16x8.narrow_i32x4_u", 0xfd086, 0],
    ["i16x8.extend_low_i8x16_u", 0xfd089, 0],
    ["i32x4.extend_low_i16x8_u", 0xfd0a9, 0],
    ["i32x4.max_u", 0xfd0b9, 0],
    ["i64x2.ge_s", 0xfd0db, 0],
    ["f64x2.pmax", 0xfd0f7, 0],
    ["f64x2.convert_low_i32x4_u", 0xfd0ff, 0],
    ["f64x2.relaxed_nmadd", 0xfd108, 0],
    ["f64x2.replace_lane", 0xfd022, 0],
    ["i32.store16", 0x3b, 1],
    ["v128.store", 0xfd00b, 4],
    ["v128.load32x2_u", 0xfd006, 3],
    ["v128.load64_zero", 0xfd05d, 3],
    ["v128.store64_lane", 0xfd05b, 3],
  ] as const)("%s has the specification's opcode and natural alignment", (name, opcode, alignment) => {
    expect(opcodeOf(name)).toEqual({ opcode, alignment });
  });
});

describe("ModuleBuilder", () => {
  it("builds an empty module", () => {
    expect(WebAssembly.validate(newModule().build())).toBe(true);
  });

  it("imports a shared memory", () => {
    const module = new ModuleBuilder({ shared: true, minimumPages: 1, maximumPages: 65536 });
    module.addFunction("add", { params: ["i32"], results: ["i32"] }, (f) => {
      f.get(0).memory("i32.load", 8);
    });
    expect(WebAssembly.validate(module.build())).toBe(true);
  });

  it("resolves calls to imports that come after functions, and to functions that come before", () => {
    const module = newModule();
    const type: FunctionType = { params: ["f64"], results: ["f64"] };
    const inner = module.addFunction(null, type, (f) => f.get(0, 0).op("f64.add"));
    module.addFunction("outer", type, (f) => {
      const half = module.importFunction("half", type);
      f.get(0).call(inner).call(half).call(module.importFunction("increment", type)).call(inner);
    });
    const exported = load(module, { half: (x: number) => x / 2, increment: (x: number) => x + 1 });
    expect(exported.outer?.(20)).toBe(42);
    expect(Object.keys(exported)).toEqual(["outer"]);
  });

  it("imports from within a function body", () => {
    const module = newModule();
    const type: FunctionType = { params: ["f64"], results: ["f64"] };
    module.addFunction("f", type, (f) => f.get(0).callImport("increment", type).callImport("increment", type));
    expect(load(module, { increment: (x: number) => x + 1 }).f?.(20)).toBe(22);
  });

  it("imports a name once and refuses a second type for it", () => {
    const module = newModule();
    const handle = module.importFunction("g", { params: ["f64"], results: [] });
    expect(module.importFunction("g", { params: ["f64"], results: [] })).toBe(handle);
    expect(() => module.importFunction("g", { params: ["f32"], results: [] })).toThrow("two types");
  });

  it("writes more than 127 functions and long names", () => {
    const module = newModule();
    for (let i = 0; i < 300; i++) module.addFunction(`función ${i}`, returns("i32"), (f) => f.i32(i));
    expect(load(module)["función 299"]?.()).toBe(299);
  });
});

describe("FunctionBuilder", () => {
  it.each([0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31), 123456789])(
    "encodes the i32 %d",
    (value) => {
      expect(run(returns("i32"), (f) => f.i32(value))).toBe(value);
    },
  );

  it("takes an unsigned 32-bit number for its two's complement", () => {
    expect(run(returns("i32"), (f) => f.i32(0x80000000))).toBe(-(2 ** 31));
  });

  it.each([0n, -1n, 63n, 64n, -65n, 2n ** 63n - 1n, -(2n ** 63n)])("encodes the i64 %d", (value) => {
    expect(run(returns("i64"), (f) => f.i64(value))).toBe(value);
  });

  it.each([0, -0, 1.5, Math.PI, Number.NaN, -Infinity, 5e-324])("encodes the float %d", (value) => {
    expect(run(returns("f64"), (f) => f.get(f.constantF64(value)).lane("f64x2.extract_lane", 0))).toBe(value);
    expect(run(returns("f32"), (f) => f.f32(value))).toBe(Math.fround(value));
  });

  it("encodes offsets and local numbers above 127", () => {
    new DataView(memory.buffer).setInt32(40_000, 77, true);
    const result = run(returns("i32"), (f) => {
      const locals = Array.from({ length: 200 }, () => f.local("i32"));
      f.i32(10_000)
        .memory("i32.load", 30_000)
        .set(locals[199] ?? 0)
        .get(locals[199] ?? 0);
    });
    expect(result).toBe(77);
  });

  it("loops, branches and chooses", () => {
    // the sum of the odd numbers below n, leaving early at 100
    const body = (f: FunctionBuilder): void => {
      const i = f.local("i32");
      const sum = f.local("i32");
      f.block(() => {
        f.loop(() => {
          f.get(i, 0).op("i32.ge_s").brIf(1);
          f.get(i).i32(1).op("i32.and");
          f.if(
            () => f.get(sum, i).op("i32.add"),
            () => f.get(sum),
            "i32",
          ).tee(sum);
          f.i32(100).op("i32.gt_s");
          f.if(() => f.i32(-1).set(sum).br(2));
          f.get(i).i32(1).op("i32.add").set(i).br(0);
        });
      });
      f.get(sum);
    };
    const type: FunctionType = { params: ["i32"], results: ["i32"] };
    expect(run(type, body, 10)).toBe(25);
    expect(run(type, body, 1000)).toBe(-1);
  });

  it("reuses released locals of the same type only, and refuses a second release", () => {
    run(returns("i32"), (f) => {
      const a = f.local("i32");
      const b = f.local("v128");
      f.release(a);
      f.release(b);
      expect(() => f.release(b)).toThrow("twice");
      expect(f.local("v128")).toBe(b);
      expect(f.local("f32")).toBe(2);
      expect(f.local("i32")).toBe(a);
      f.i32(0);
    });
  });

  it("keeps a vector constant apart from a local that was released before its first use", () => {
    const result = run(returns("f32"), (f) => {
      const x = f.local("v128");
      f.splatF32(1).set(x);
      f.release(x);
      const y = f.local("v128");
      f.loop(() => {
        f.splatF32(2).splatF32(1).op("f32x4.add").set(y);
        f.get(y).splatF32(2).op("f32x4.mul").set(y);
      });
      f.get(y).lane("f32x4.extract_lane", 3);
    });
    expect(result).toBe(6);
  });

  it("splats constants of every width", () => {
    const result = run(returns("f64"), (f) => {
      f.get(f.constantF64(0.1)).lane("f64x2.extract_lane", 1);
      f.splatI32(-5).lane("i32x4.extract_lane", 2).op("f64.convert_i32_s").op("f64.add");
      f.splatI64(-(2n ** 40n))
        .lane("i64x2.extract_lane", 1)
        .op("f64.convert_i64_s")
        .op("f64.add");
      f.v128(Uint8Array.from({ length: 16 }, (_, i) => 240 + i)).lane("i8x16.extract_lane_u", 15);
      f.op("f64.convert_i32_u").op("f64.add");
    });
    expect(result).toBe(0.1 - 5 - 2 ** 40 + 255);
  });

  it("shuffles, replaces lanes, and loads and stores lanes", () => {
    const bytes = new Uint8Array(memory.buffer);
    for (let i = 0; i < 32; i++) bytes[i] = i;
    run({ params: [], results: [] }, (f) => {
      const x = f.local("v128");
      f.i32(0).memory("v128.load").i32(0).memory("v128.load", 16);
      f.shuffle(31, 1, 29, 3, 27, 5, 25, 7, 23, 9, 21, 11, 19, 13, 17, 15).set(x);
      f.get(x).i32(99).lane("i8x16.replace_lane", 1).set(x);
      f.i32(0).get(x).memoryLane("v128.load32_lane", 4, 3).set(x);
      f.i32(64).get(x).memory("v128.store").i32(80).get(x).memoryLane("v128.store16_lane", 0, 7);
    });
    expect([...bytes.slice(64, 80)]).toEqual([31, 99, 29, 3, 27, 5, 25, 7, 23, 9, 21, 11, 4, 5, 6, 7]);
    expect([...bytes.slice(80, 82)]).toEqual([6, 7]);
  });

  it("fills memory", () => {
    const bytes = new Uint8Array(memory.buffer);
    run({ params: [], results: [] }, (f) => {
      f.i32(1000).i32(7).i32(10).memoryFill();
    });
    expect([...bytes.slice(999, 1011)]).toEqual([0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0]);
  });

  it("refuses malformed immediates", () => {
    const module = newModule();
    module.addFunction("f", { params: [], results: [] }, (f) => {
      expect(() => f.shuffle(1, 2)).toThrow("16 lanes");
      expect(() => f.v128(new Uint8Array(4))).toThrow("16 bytes");
      expect(() => f.release(3)).toThrow("no local 3");
    });
  });
});
