/** Files of arrays by path, where there are files. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as mx from "mlx-ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlx-files-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("files by path", () => {
  it("are written whole, and read by path and by file address", async () => {
    const x = mx.array([1, 2, 3]);
    await mx.save(x, { path: join(folder, "x.npy") });
    await mx.savez({ x }, { path: join(folder, "x.npz") });
    await mx.saveSafetensors({ x }, { path: pathToFileURL(join(folder, "x.safetensors")) });
    expect((await readdir(folder)).sort()).toEqual(["x.npy", "x.npz", "x.safetensors"]);
    expect(await (await mx.loadArray(join(folder, "x.npy"))).tolist()).toEqual([1, 2, 3]);
    for (const name of ["x.npz", "x.safetensors"]) {
      const { x: read } = await mx.loadArrays(pathToFileURL(join(folder, name)));
      expect(await read?.tolist()).toEqual([1, 2, 3]);
    }
  });

  it("are named in errors", async () => {
    const path = join(folder, "short.safetensors");
    await writeFile(path, "four");
    await expect(mx.load(path)).rejects.toThrow(path);
    await expect(mx.load(join(folder, "absent.npy"))).rejects.toThrow(/absent\.npy cannot be read: ENOENT/);
  });
});
