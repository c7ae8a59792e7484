/** Images for tests: ten kinds that differ in where they are bright, and IDX files of them. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type LabelledImages, side } from "../dataset.ts";

/** An IDX file of bytes. */
export function idxFile(shape: readonly number[], data: Uint8Array, type = 0x08): Uint8Array {
  const file = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(file.buffer);
  file.set([0, 0, type, shape.length]);
  for (const [axis, length] of shape.entries()) view.setUint32(4 + 4 * axis, length);
  file.set(data, 4 + 4 * shape.length);
  return file;
}

/** Images of all kinds in turn: each kind has a bright bar of its own, in noise that is the same at every call. */
export function bars(count: number): LabelledImages {
  const images = new Uint8Array(count * side * side);
  const labels = Uint8Array.from({ length: count }, (_, image) => image % 10);
  let state = 1;
  for (let place = 0; place < images.length; place++) {
    state = (1103515245 * state + 12345) % 2 ** 31;
    const row = Math.floor(place / side) % side;
    const isBar = Math.floor(row / 2.8) === labels[Math.floor(place / (side * side))];
    images[place] = (isBar ? 120 : 0) + (state % 120);
  }
  return { count, images, labels };
}

/** A folder with the four files of a data set, the training images compressed. */
export async function folderOf(training: LabelledImages, test: LabelledImages): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fashion-mnist-"));
  const write = (name: string, file: Uint8Array): Promise<void> => writeFile(join(folder, name), file);
  await write("train-images-idx3-ubyte.gz", gzipSync(idxFile([training.count, side, side], training.images)));
  await write("train-labels-idx1-ubyte.gz", gzipSync(idxFile([training.count], training.labels)));
  await write("t10k-images-idx3-ubyte", idxFile([test.count, side, side], test.images));
  await write("t10k-labels-idx1-ubyte", idxFile([test.count], test.labels));
  return folder;
}
