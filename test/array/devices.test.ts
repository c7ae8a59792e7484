/** Operations have devices, arrays have none: placement, and what moves between two backends. */
import * as mx from "mlx-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";

/** The reference backend stands in for a GPU: where operations run, and what moves, is the same. */
let second: ReferenceBackend;

beforeEach(() => {
  second = new ReferenceBackend();
  setGpu(second);
});

afterEach(() => {
  mx.setDefaultDevice("cpu");
  setGpu(null);
});

const onGpu = <T>(body: () => T): T => mx.withDevice("gpu", body);

describe("placement", () => {
  it("is of operations, not of arrays", async () => {
    const x = mx.array([1, 2, 3]);
    const doubled = onGpu(() => x.mul(2));
    const sum = doubled.add(x);
    expect([doubled.device, sum.device]).toEqual(["gpu", "cpu"]);
    expect(await sum.tolist()).toEqual([3, 6, 9]);
    expect(await doubled.tolist()).toEqual([2, 4, 6]);
  });

  it("follows the default device", async () => {
    mx.setDefaultDevice("gpu");
    expect(mx.defaultDevice()).toBe("gpu");
    const y = mx.array([1, 2]).add(1);
    expect(y.device).toBe("gpu");
    expect(await y.tolist()).toEqual([2, 3]);
    expect(mx.withDevice("cpu", () => y.add(1)).device).toBe("cpu");
    expect(mx.defaultDevice()).toBe("gpu");
  });

  it("is put back when the function throws", () => {
    expect(() => onGpu(() => mx.array([1]).reshape([2]))).toThrow(mx.ShapeError);
    expect(mx.defaultDevice()).toBe("cpu");
  });

  it("refuses asynchronous functions and unknown devices", () => {
    expect(() => mx.withDevice("gpu", async () => 1)).toThrow(mx.ArgumentError);
    // @ts-expect-error: there is no such device
    expect(() => mx.setDefaultDevice("tpu")).toThrow(/"cpu" or "gpu", got "tpu"/);
  });

  it("of gradients, tangents and batches is that of the operation they come from", async () => {
    const f = (x: mx.MLXArray): mx.MLXArray => onGpu(() => x.mul(x)).sum();
    const x = mx.array([1, 2, 3]);
    expect(await mx.grad(f)(x).tolist()).toEqual([2, 4, 6]);
    const product = onGpu(() => x.mul(x));
    const [[, tangent]] = [mx.jvp((v) => onGpu(() => v.mul(v)), [x], [mx.array([1, 0, 0])])];
    expect([product.device, tangent[0]?.device]).toEqual(["gpu", "gpu"]);
    expect(mx.vmap((v: mx.MLXArray) => onGpu(() => v.add(1)))(x).device).toBe("gpu");
  });
});

describe("a graph over two devices", () => {
  it("is computed in stages, back and forth", async () => {
    let x = mx.array([1, 2, 3]);
    for (let k = 0; k < 6; k++) x = k % 2 === 0 ? onGpu(() => x.add(1)) : x.mul(2);
    expect(await x.tolist()).toEqual([22, 30, 38]);
  });

  it("moves every array at most once in each direction", async () => {
    const before = mx.memory.moves;
    const x = mx.array(Float32Array.from({ length: 1000 }, (_, k) => k));
    const [a, b] = [onGpu(() => x.add(1)), onGpu(() => x.mul(2))];
    await mx.evaluate(a);
    await mx.evaluate(b);
    expect(mx.memory.moves.toGpu.count - before.toGpu.count).toBe(1);
    expect(mx.memory.moves.toGpu.bytes - before.toGpu.bytes).toBe(4000);
    await mx.evaluate(a.add(b), a.sub(b));
    await a.data();
    await a.tolist();
    expect(mx.memory.moves.toCpu.count - before.toCpu.count).toBe(2);
    expect(mx.memory.moves.toGpu.count - before.toGpu.count).toBe(1);
  });

  it("frees copies with the array they are of", async () => {
    const x = mx.array(new Float32Array(1000));
    await mx.evaluate(onGpu(() => x.add(1)));
    const held = second.memory().active;
    x.dispose();
    expect(second.memory().active).toBe(held - 4000);
  });

  it("compiles, whole on one device or over both", async () => {
    const f = (x: mx.MLXArray): mx.MLXArray => x.mul(2).add(1);
    const whole = mx.compile(f);
    expect(await whole(mx.array([1])).item()).toBe(3);
    mx.setDefaultDevice("gpu");
    const result = whole(mx.array([1]));
    expect(result.device).toBe("gpu");
    expect(await result.item()).toBe(3);
    mx.setDefaultDevice("cpu");
    const mixed = mx.compile((x: mx.MLXArray) => onGpu(() => x.mul(2)).add(1));
    for (const value of [1, 2]) expect(await mixed(mx.array([value])).item()).toBe(2 * value + 1);
    const inside = mx.compile((x: mx.MLXArray) => onGpu(() => x.mul(2)));
    expect(inside(mx.array([1])).device).toBe("gpu");
  });
});

describe("64-bit dtypes", () => {
  it("are refused on the GPU where the graph is built, with the ways out", () => {
    mx.setDefaultDevice("gpu");
    const x = mx.array([1, 2], "float64");
    expect(() => x.add(1)).toThrow(mx.DtypeError);
    expect(() => mx.array([1, 2]).asType("int64")).toThrow(/int64 does not exist on the GPU.*wide: "cpu"/);
  });

  it("are refused in the name of the operation that was called, whatever it is made of", () => {
    mx.setDefaultDevice("gpu");
    const x = mx.array([1, 2], "int64");
    const operations: readonly (readonly [string, () => unknown])[] = [
      ["add", () => x.add(1)],
      ["add", () => mx.expr`${x} + 1`],
      ["sqrt", () => mx.sqrt(x)],
      ["mean", () => mx.mean(x)],
      ["where", () => mx.where(x, 1, 2)],
      ["stack", () => mx.stack([x, x])],
      ["flatten", () => mx.flatten(x.reshape([2, 1], { device: "cpu" }))],
      ["asType", () => mx.array([1, 2]).asType("int64")],
      ["zeros", () => mx.zeros([2], "int64")],
    ];
    for (const [name, run] of operations) expect(run, name).toThrow(`${name}: int64 does not exist on the GPU`);
    expect(() => mx.sqrt(x, { device: "cpu" })).not.toThrow();
  });

  it("run on the CPU where the user allows it", async () => {
    mx.setDefaultDevice("gpu", { wide: "cpu" });
    const y = mx.array([1, 2], "float64").add(1);
    expect(y.device).toBe("cpu");
    const z = y.asType("float32").mul(2);
    expect(await z.add(1).tolist()).toEqual([5, 7]);
  });
});
