/** What the example promises about data: good files are read, and a bad one is named with what is wrong and the remedy. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { findFolder, readPart, side } from "../dataset.ts";
import { IdxError, parseIdx } from "../idx.ts";
import { bars, folderOf, idxFile } from "./clothing.ts";

describe("an IDX file", () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6);
  const file = idxFile([2, 3], data);

  it("is read, compressed or not", () => {
    for (const bytes of [file, gzipSync(file)]) {
      const parsed = parseIdx(bytes, "f", 2);
      expect(parsed.shape).toEqual([2, 3]);
      expect(Array.from(parsed.data)).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  it.each([
    ["is empty", new Uint8Array(0), "f: no IDX file: it begins otherwise; fetch the file anew"],
    ["is text", new TextEncoder().encode("<html>"), "f: no IDX file: it begins otherwise; fetch the file anew"],
    [
      "holds floats",
      idxFile([2, 3], data, 0x0d),
      "f: its elements are of type 0x0d, not unsigned bytes (0x08); fetch the file anew",
    ],
    ["has another rank", idxFile([6], data), "f: it has 1 axes, not 2; fetch the file anew"],
    ["ends in its header", file.subarray(0, 7), "f: it ends within its header, after 7 bytes; fetch the file anew"],
    ["is cut off", file.subarray(0, 16), "f: its lengths 2 × 3 need 6 bytes, but 4 follow; fetch the file anew"],
    ["is too long", idxFile([2, 2], data), "f: its lengths 2 × 2 need 4 bytes, but 6 follow; fetch the file anew"],
    [
      "is compressed and cut off",
      gzipSync(file).subarray(0, 20),
      "f: it cannot be decompressed (Z_BUF_ERROR); fetch the file anew",
    ],
  ])("that %s is refused", (_, bytes, message) => {
    const refused = expect(() => parseIdx(bytes, "f", 2));
    refused.toThrow(IdxError);
    refused.toThrow(message);
  });
});

describe("the data", () => {
  it("is read from its folder, as much as is asked for", async () => {
    const folder = await folderOf(bars(30), bars(20));
    const training = await readPart(folder, "train");
    expect(training).toMatchObject({ count: 30 });
    expect(training.images).toEqual(bars(30).images);
    const test = await readPart(folder, "t10k", 12);
    expect(test.count).toBe(12);
    expect(test.images).toHaveLength(12 * side * side);
    expect(Array.from(test.labels)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
  });

  it("that does not fit together is refused", async () => {
    const folder = await folderOf(bars(30), bars(20));
    await expect(readPart("/nowhere", "train")).rejects.toThrow(/train-images.*ENOENT.*--data/);
    await writeFile(join(folder, "t10k-labels-idx1-ubyte"), idxFile([19], bars(19).labels));
    await expect(readPart(folder, "t10k")).rejects.toThrow("19 labels for 20 images");
    await writeFile(join(folder, "t10k-labels-idx1-ubyte"), idxFile([20], new Uint8Array(20).fill(10, 7)));
    await expect(readPart(folder, "t10k")).rejects.toThrow("label 7 is 10, but there are ten classes");
    await writeFile(join(folder, "t10k-images-idx3-ubyte"), idxFile([20, 2, 2], new Uint8Array(80)));
    await expect(readPart(folder, "t10k")).rejects.toThrow("its images are 2 × 2, not 28 × 28");
  });

  it("is looked for where the user says", () => {
    expect(findFolder("/elsewhere")).toBe("/elsewhere");
  });
});
