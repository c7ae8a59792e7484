/** Fashion-MNIST: finds its files, installs them where that is possible, and reads them. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { apt, canInstall } from "../../tools/debian.ts";
import { reasonOf, UserError } from "../common/command.ts";
import { IdxError, parseIdx } from "./idx.ts";

/** What the labels 0 to 9 mean. */
export const classNames: readonly string[] = [
  "T-shirt",
  "trouser",
  "pullover",
  "dress",
  "coat",
  "sandal",
  "shirt",
  "sneaker",
  "bag",
  "ankle boot",
];

/** The width and the height of an image. */
export const side = 28;

/** Images with their labels. */
export interface LabelledImages {
  readonly count: number;
  /** [count, side, side], from black (0) to white (255) */
  readonly images: Uint8Array;
  /** [count], each below ten */
  readonly labels: Uint8Array;
}

/** The parts of the data, as their files are called. */
export type Part = "train" | "t10k";

/** Debian's package, and where it puts the files. */
const packageName = "dataset-fashion-mnist";
const packageFolder = "/usr/share/datasets/fashion-mnist";

/**
 * The folder with the files: `given`, or Debian's, whose package is installed where that is possible.
 *
 * @throws {UserError} that says what to fetch, and where to put it
 */
export function findFolder(given?: string): string {
  if (given !== undefined) return given;
  if (existsSync(packageFolder)) return packageFolder;
  if (canInstall()) {
    console.log(`Fashion-MNIST is not here yet: installing Debian's ${packageName} (about 30 MB)`);
    apt("update");
    apt("install", "-y", "--no-install-recommends", packageName);
    if (existsSync(packageFolder)) return packageFolder;
  }
  throw new UserError(
    `Fashion-MNIST is not in ${packageFolder}. Debian and Ubuntu: sudo apt-get install ${packageName}. Elsewhere: download ` +
      `${["train", "t10k"].flatMap((part) => [fileName(part, "images"), fileName(part, "labels")]).join(", ")} ` +
      "from https://github.com/zalandoresearch/fashion-mnist (data/fashion) into a folder, and name it: --data FOLDER",
  );
}

/**
 * Reads a part of the data.
 *
 * @param limit images at most, the first ones
 * @throws {UserError} if a file is missing or wrong
 */
export async function readPart(
  folder: string,
  part: Part,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<LabelledImages> {
  const [imagePath, imageBytes] = await readEither(folder, fileName(part, "images"));
  const [labelPath, labelBytes] = await readEither(folder, fileName(part, "labels"));
  const images = parseIdx(imageBytes, imagePath, 3);
  const labels = parseIdx(labelBytes, labelPath, 1);
  const [count = 0, height, width] = images.shape;
  if (height !== side || width !== side)
    throw new IdxError(imagePath, `its images are ${height} × ${width}, not ${side} × ${side}`);
  if (labels.data.length !== count) throw new IdxError(labelPath, `${labels.data.length} labels for ${count} images`);
  const stray = labels.data.findIndex((label) => label >= classNames.length);
  if (stray >= 0) throw new IdxError(labelPath, `label ${stray} is ${labels.data[stray]}, but there are ten classes`);
  const kept = Math.min(count, limit);
  return { count: kept, images: images.data.subarray(0, kept * side * side), labels: labels.data.subarray(0, kept) };
}

function fileName(part: string, content: "images" | "labels"): string {
  return `${part}-${content}-idx${content === "images" ? 3 : 1}-ubyte.gz`;
}

/** A file of the data, compressed as it comes or not. */
async function readEither(folder: string, name: string): Promise<readonly [string, Uint8Array]> {
  const compressed = join(folder, name);
  const path = existsSync(compressed) ? compressed : compressed.replace(/\.gz$/, "");
  try {
    return [path, await readFile(path)];
  } catch (error) {
    throw new UserError(`${compressed}: cannot be read (${reasonOf(error)}); --data names the folder that holds it`);
  }
}
