/** Files of arrays beyond what MLX writes: packed archives, other byte orders, eight-bit floats, and damage of every kind. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const samples = (): Record<string, mx.MLXArray> => ({
  b: mx.array([1.5, -3], "bfloat16"),
  x: mx.array([
    [1, 2, 3],
    [4, 5, 6],
  ]),
  flags: mx.array([true, false, true]),
  long: mx.array([-1n, 2n ** 62n]),
  one: mx.array(7, "uint16"),
  none: mx.zeros([0, 3], "int8"),
});

const contentsOf = async (arrays: Record<string, mx.MLXArray>): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(arrays).map(async ([name, x]) => [name, [x.dtype, x.shape, await x.tolist()]] as const),
    ),
  );

/** An npy file of version 1 with the given header and bytes. */
const npyOf = (header: string, data: readonly number[]): Uint8Array => {
  const text = [...new TextEncoder().encode(header)];
  return Uint8Array.from([0x93, 78, 85, 77, 80, 89, 1, 0, text.length & 255, text.length >> 8, ...text, ...data]);
};

const safetensorsOf = (header: unknown, data: readonly number[]): Uint8Array => {
  const text = [...new TextEncoder().encode(JSON.stringify(header))];
  return Uint8Array.from([text.length & 255, text.length >> 8, 0, 0, 0, 0, 0, 0, ...text, ...data]);
};

const inOneByte = (seed: number) => (): number => {
  const next = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  seed = next;
  return next / 2 ** 32;
};

/** What loading gave, which must be arrays or an error of ours; arrays of any damage must still be readable. */
const outcomeOf = async (bytes: Uint8Array): Promise<string> => {
  try {
    await mx.load(bytes);
    return "loaded";
  } catch (error) {
    expect(error).toBeInstanceOf(mx.FormatError);
    expect(String(error)).toContain("the given bytes");
    return "refused";
  }
};

describe("load", () => {
  it("tells npy, npz and safetensors by their bytes", async () => {
    const expected = await contentsOf(samples());
    for (const save of [mx.savez, mx.savezCompressed, mx.saveSafetensors]) {
      const bytes = await save(samples());
      expect(await contentsOf(await mx.loadArrays(bytes))).toEqual(expected);
      expect(await contentsOf(Object(await mx.load(bytes)))).toEqual(expected);
      await expect(mx.loadArray(bytes)).rejects.toThrow("loadArrays");
    }
    for (const x of Object.values(samples())) {
      const bytes = await mx.save(x);
      expect(await (await mx.loadArray(bytes)).tolist()).toEqual(await x.tolist());
      await expect(mx.loadArrays(bytes)).rejects.toThrow("loadArray");
    }
    await expect(mx.load(new TextEncoder().encode("GIF89a and what follows"))).rejects.toThrow("none of npy, npz");
    await expect(mx.load(new TextEncoder().encode("GGUF and what follows"))).rejects.toThrow("is a GGUF file");
  });

  it("reads blobs, buffers and bytes that lie at any place", async () => {
    const bytes = await mx.saveSafetensors(samples());
    const expected = await contentsOf(samples());
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    for (const source of [new Blob([bytes.slice()]), bytes.slice().buffer, shifted.subarray(3)]) {
      expect(await contentsOf(await mx.loadArrays(source))).toEqual(expected);
    }
    const file = new File([bytes.slice(0, 40)], "cut.safetensors");
    await expect(mx.load(file)).rejects.toThrow("cut.safetensors");
  });

  it("packs what can be packed", async () => {
    const arrays = { zeros: mx.zeros([10_000]) };
    expect((await mx.savezCompressed(arrays)).length).toBeLessThan(1000);
    expect((await mx.savez(arrays)).length).toBeGreaterThan(40_000);
  });

  it("reads the other byte order, columns first and later versions of npy", async () => {
    const big = npyOf("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", [0, 1, 0, 2, 0, 3, 255, 255]);
    expect(await (await mx.loadArray(big)).tolist()).toEqual([
      [1, 3],
      [2, -1],
    ]);
    const text = [...new TextEncoder().encode("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }")];
    const second = Uint8Array.from([0x93, 78, 85, 77, 80, 89, 2, 0, text.length, 0, 0, 0, ...text, 5, 0]);
    expect(await (await mx.loadArray(second)).tolist()).toEqual([true, false]);
  });

  it("reads eight-bit floats as their bits", async () => {
    const header = { w: { dtype: "F8_E4M3", shape: [2], data_offsets: [0, 2] } };
    const { w } = await mx.loadArrays(safetensorsOf(header, [56, 200]));
    expect(w?.dtype).toBe("uint8");
    expect(await w?.tolist()).toEqual([56, 200]);
  });

  it("keeps names that JavaScript has a meaning for", async () => {
    const named = Object.fromEntries([["__proto__", mx.array([1])]]);
    for (const save of [mx.savez, mx.saveSafetensors]) {
      expect(Object.keys(await mx.loadArrays(await save(named)))).toEqual(["__proto__"]);
    }
    await expect(mx.saveSafetensors({ __metadata__: mx.array(1) })).rejects.toThrow(mx.ArgumentError);
  });

  it("aligns every array of a safetensors file", async () => {
    const bytes = await mx.saveSafetensors({ a: mx.zeros([3], "uint8"), b: mx.zeros([1], "int64"), c: mx.zeros([5]) });
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(length % 8).toBe(0);
    expect([header.a, header.b, header.c].map((entry) => entry.data_offsets)).toEqual([
      [28, 31],
      [0, 8],
      [8, 28],
    ]);
  });
});

describe("a damaged file", () => {
  it("is refused wherever it is cut off", async () => {
    const whole = [
      await mx.save(mx.arange(5)),
      await mx.savez({ x: mx.arange(3) }),
      await mx.savezCompressed({ x: mx.arange(3) }),
      await mx.saveSafetensors({ x: mx.arange(3), y: mx.ones([2]) }),
    ];
    for (const bytes of whole) {
      for (let length = 0; length < bytes.length; length++) {
        expect(await outcomeOf(bytes.subarray(0, length)), `${length} of ${bytes.length} bytes`).toBe("refused");
      }
    }
  });

  it("gives arrays or a FormatError whatever bytes are changed", async () => {
    const random = inOneByte(864);
    for (const save of [mx.savez, mx.savezCompressed, mx.saveSafetensors]) {
      const bytes = await save({ x: mx.arange(4), y: mx.ones([2, 2]) });
      for (let run = 0; run < 300; run++) {
        const changed = bytes.slice();
        for (let k = 0; k < 1 + (run % 3); k++)
          changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256);
        await outcomeOf(changed);
      }
    }
    const npy = await mx.save(mx.arange(4));
    for (let run = 0; run < 500; run++) {
      const changed = npy.slice();
      changed[Math.floor(random() * npy.length)] = Math.floor(random() * 256);
      await outcomeOf(changed);
    }
  });

  it("is told by what is wrong", async () => {
    const refusals: [Uint8Array, string][] = [
      [npyOf("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", [0]), 'element type "|O" is none of ours'],
      [npyOf("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", [0]), "none of ours"],
      [npyOf("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", [0]), "have no shape"],
      [npyOf("{'descr': '<f4', 'fortran_order': Tsue, 'shape': (1,), }", [0, 0, 0, 0]), "whether columns come first"],
      [npyOf("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", [0]), "needs"],
      [safetensorsOf({ w: { dtype: "C64", shape: [1], data_offsets: [0, 8] } }, []), '"w" has dtype C64'],
      [safetensorsOf({ w: { dtype: "F32", shape: [1.5], data_offsets: [0, 6] } }, []), "lacks its shape"],
      [safetensorsOf({ w: { dtype: "F32", shape: [1], data_offsets: [4, 0] } }, []), "lies in bytes 4 to 0"],
      [safetensorsOf({ w: null }, []), '"w" has dtype undefined'],
      [safetensorsOf({ __metadata__: 3 }, []), "metadata is no object"],
    ];
    for (const [bytes, detail] of refusals) await expect(mx.load(bytes)).rejects.toThrow(detail);
    const archive = await mx.savez({ x: mx.arange(3) });
    const changed = archive.slice();
    changed[170] = 1 + (changed[170] ?? 0);
    await expect(mx.load(changed)).rejects.toThrow('the given bytes: "x.npy": its bytes do not fit its checksum');
  });
});
