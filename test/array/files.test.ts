/** Files of arrays: what MLX and NumPy wrote is read, what we write comes back, damage is named. */
import * as mx from "mlx-ts";
import { afterEach, describe, expect, it, vi } from "vitest";
import recorded from "./recorded-files.json";

function bytesOf(name: keyof typeof recorded): Uint8Array {
  return Uint8Array.from(atob(recorded[name]), (letter) => letter.charCodeAt(0));
}

async function contentsOf(arrays: { readonly [name: string]: mx.MLXArray }): Promise<Record<string, unknown>> {
  const entries = Object.entries(arrays).map(
    async ([name, x]) => [name, [x.dtype, x.shape, await x.tolist()]] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const expected = {
  a: [
    "float32",
    [2, 2],
    [
      [1.5, -2],
      [3, 4],
    ],
  ],
  h: ["float16", [2], [0.5, 1.25]],
  flag: ["bool", [2], [true, false]],
  i: ["int64", [], -7n],
  empty: ["float32", [0, 3], []],
  u: ["uint8", [3], [1, 2, 255]],
};
const withBfloat16 = { ...expected, b: ["bfloat16", [2], [1.5, -3]] };

describe("safetensors", () => {
  it("reads what MLX wrote", async () => {
    const { arrays, metadata } = await mx.loadSafetensors(bytesOf("x.safetensors"));
    expect(await contentsOf(arrays)).toEqual(withBfloat16);
    expect(metadata).toMatchObject({ note: "by MLX" });
  });

  it("reads what it wrote", async () => {
    const { arrays } = await mx.loadSafetensors(bytesOf("x.safetensors"));
    const bytes = await mx.saveSafetensors(arrays, { metadata: { a: "b" } });
    const again = await mx.loadSafetensors(bytes);
    expect(await contentsOf(again.arrays)).toEqual(withBfloat16);
    expect(again.metadata).toEqual({ a: "b" });
  });

  it("computes arrays before it writes them, strided ones in row-major order", async () => {
    const x = mx.transpose(
      mx.array([
        [1, 2],
        [3, 4],
      ]),
    );
    const { arrays } = await mx.loadSafetensors(await mx.saveSafetensors({ x, y: mx.add(x, 1) }));
    expect(await arrays.x?.tolist()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(await arrays.y?.tolist()).toEqual([
      [2, 4],
      [3, 5],
    ]);
  });

  it("names what is wrong with a file", async () => {
    const bytes = bytesOf("x.safetensors");
    await expect(mx.loadSafetensors(bytes.subarray(0, 5))).rejects.toThrow(mx.FormatError);
    await expect(mx.loadSafetensors(bytes.subarray(0, bytes.length - 1))).rejects.toThrow(/lies in bytes/);
    await expect(mx.loadSafetensors(new Uint8Array(64).fill(255))).rejects.toThrow(/does not fit/);
    await expect(mx.loadSafetensors(new Uint8Array(64).fill(0, 0, 8).fill(7, 8))).rejects.toThrow(/no JSON/);
  });
});

describe("npz and npy", () => {
  it("reads what MLX wrote, packed or not", async () => {
    expect(await contentsOf(await mx.loadNpz(bytesOf("x.npz")))).toEqual(expected);
    const packed = await mx.loadNpz(bytesOf("c.npz"));
    expect(await packed.a?.tolist()).toEqual([
      [1.5, -2],
      [3, 4],
    ]);
    expect(packed.zeros?.shape).toEqual([100]);
  });

  it("reads columns first and doubles, as NumPy writes them", async () => {
    expect(await (await mx.loadNpy(bytesOf("f.npy"))).tolist()).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const doubles = await mx.loadNpy(bytesOf("d.npy"));
    expect(doubles.dtype).toBe("float64");
    expect(await doubles.tolist()).toEqual([0.1, Number.NaN, -0]);
  });

  it("reads what it wrote, bfloat16 included", async () => {
    const { arrays } = await mx.loadSafetensors(bytesOf("x.safetensors"));
    expect(await contentsOf(await mx.loadNpz(await mx.saveNpz(arrays)))).toEqual(withBfloat16);
    const [letter] = new TextDecoder("latin1").decode(await mx.saveNpy(mx.zeros([3]))).slice(1);
    expect(letter).toBe("N");
  });

  it("names what is wrong with a file", async () => {
    await expect(mx.loadNpz(bytesOf("f.npy"))).rejects.toThrow(/zip archive/);
    await expect(mx.loadNpy(bytesOf("x.npz"))).rejects.toThrow(/begin/);
    await expect(mx.loadNpy(bytesOf("d.npy").subarray(0, 140))).rejects.toThrow(/needs/);
  });
});

describe("in a browser", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("a page in the place of a file is named", async () => {
    const page = new Response("<!doctype html>", { headers: { "content-type": "text/html; charset=utf-8" } });
    vi.stubGlobal("fetch", async () => page);
    await expect(mx.load("https://weights.example/w.safetensors")).rejects.toThrow(
      /w\.safetensors answered with a page/,
    );
  });

  it("there is no path to save at, and the bytes are what is kept", async () => {
    vi.stubGlobal("importScripts", () => {});
    const saved = mx.save(mx.ones([2]), { path: "x.npy" });
    await expect(saved).rejects.toThrow(/a browser has none; leave the path out, and keep the bytes/);
  });
});
