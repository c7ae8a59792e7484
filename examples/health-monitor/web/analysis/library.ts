/** What the page keeps, by meaning: models and unfinished trainings of each source, the user's last table, history, settings. */
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from "mlx-ts/train";
import { type ChannelInfo, type Source, type SourceKind, sharedCopy, sharedZeros } from "../sources/source.ts";
import { extentsOf } from "../trace/pyramid.ts";
import { type Keeping, Store } from "./store.ts";

/** A model that has learned, as it is shown. */
export interface LearnedModel {
  readonly name: string;
  readonly parameterCount: number;
  readonly sampleCount: number;
  readonly epochs: number;
  /** The mean loss of the last pass. */
  readonly loss: number;
  readonly device: string;
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly learnedAt: number;
  readonly sourceTitle: string;
  /** The learned unit of each channel; empty where nothing is scaled. */
  readonly units: readonly number[];
}

/** A training that was stopped, or that the page was closed on. */
export interface UnfinishedTraining {
  readonly epoch: number;
  readonly epochs: number;
  readonly seed: number;
}

/** What the user had chosen. */
export interface Settings {
  readonly source: string;
  readonly track: number;
  readonly position: number;
}

/** A kept table, without its values. */
interface KeptTable {
  readonly key: string;
  readonly title: string;
  readonly kind: SourceKind;
  readonly remark: string;
  readonly secondsPerReading: number;
  readonly channels: readonly ChannelInfo[];
  readonly length: number;
}

const mostHistory = 100;

/** The kept things of the page. */
export class Library {
  readonly #store: Store;

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Opens the browser's file system. */
  static async open(): Promise<Library> {
    return new Library(await Store.open());
  }

  /** Whether the browser keeps what this tab learns. */
  get keeping(): Keeping {
    return this.#store.keeping;
  }

  /** The settings of the last time. */
  settings(): Promise<Settings | null> {
    return this.#store.readJson("settings.json", isSettings);
  }

  async keepSettings(settings: Settings): Promise<void> {
    await this.#store.write("settings.json", JSON.stringify(settings));
  }

  /** The file of the model of a source, and what is shown of it. */
  async model(key: string): Promise<{ readonly bytes: Uint8Array; readonly info: LearnedModel } | null> {
    const folder = await folderOf(key);
    const info = await this.#store.readJson(`${folder}/model.json`, isLearnedModel);
    const bytes = await this.#store.read(`${folder}/model.safetensors`);
    return info && bytes ? { bytes, info } : null;
  }

  /** Keeps a model in place of the one before, and adds it to the history. */
  async keepModel(key: string, bytes: Uint8Array, info: LearnedModel): Promise<void> {
    const folder = await folderOf(key);
    await this.#store.write(`${folder}/model.safetensors`, bytes);
    await this.#store.write(`${folder}/model.json`, JSON.stringify(info));
    const history = [info, ...(await this.history())].slice(0, mostHistory);
    await this.#store.write("history.json", JSON.stringify(history));
  }

  /** All models that were learned, the latest first. */
  async history(): Promise<readonly LearnedModel[]> {
    return (await this.#store.readJson("history.json", isHistory)) ?? [];
  }

  /** How far the unfinished training of a source is. */
  async unfinished(key: string): Promise<UnfinishedTraining | null> {
    return this.#store.readJson(`${await folderOf(key)}/training.json`, isUnfinished);
  }

  /** Where the unfinished training of a source goes on. */
  async checkpoint(key: string): Promise<Checkpoint | null> {
    const bytes = await this.#store.read(`${await folderOf(key)}/checkpoint.safetensors`);
    return bytes && loadCheckpoint(bytes);
  }

  async keepCheckpoint(key: string, checkpoint: Checkpoint, training: UnfinishedTraining): Promise<void> {
    const folder = await folderOf(key);
    await this.#store.write(`${folder}/checkpoint.safetensors`, await saveCheckpoint(checkpoint));
    await this.#store.write(`${folder}/training.json`, JSON.stringify(training));
  }

  /** The training of a source is finished. */
  async dropCheckpoint(key: string): Promise<void> {
    const folder = await folderOf(key);
    await this.#store.remove(`${folder}/training.json`);
    await this.#store.remove(`${folder}/checkpoint.safetensors`);
  }

  /** The last table or recording of the user. */
  async table(): Promise<Source | null> {
    const table = await this.#store.readJson("table.json", isKeptTable);
    const bytes = table && (await this.#store.read("table.bin"));
    if (!table || bytes?.byteLength !== 8 * table.length * table.channels.length) return null;
    const values = sharedCopy(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8));
    const { length, ...source } = table;
    const channels = table.channels.map((_, c) => values.subarray(c * length, (c + 1) * length));
    const trainingLength = Math.floor(length / 2);
    const labels = new Uint8Array(length);
    const extents = channels.map((each) => extentsOf(each, sharedZeros));
    const track = { name: table.title, channels, labels, isLabelled: false, extents, length, trainingLength };
    return { ...source, tracks: [track] };
  }

  /** Keeps a table of the user in place of the one before. @throws {DOMException} if there is too little room */
  async keepTable({ tracks: [track], ...source }: Source): Promise<void> {
    if (!track) return;
    await this.#store.remove("table.json");
    await this.#store.write("table.bin", track.channels);
    const table: KeptTable = { ...source, length: track.length };
    await this.#store.write("table.json", JSON.stringify(table));
  }

  /** Forgets everything. */
  clear(): Promise<void> {
    return this.#store.clear();
  }
}

/** The name of the folder of a source. Tables may be called anything. */
async function folderOf(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function hasKeys(value: unknown, ...keys: readonly string[]): value is object {
  return typeof value === "object" && value !== null && keys.every((key) => key in value);
}

function isSettings(value: unknown): value is Settings {
  return hasKeys(value, "source", "track", "position");
}

function isLearnedModel(value: unknown): value is LearnedModel {
  return hasKeys(value, "name", "parameterCount", "sampleCount", "epochs", "loss", "learnedAt", "sourceTitle", "units");
}

function isHistory(value: unknown): value is readonly LearnedModel[] {
  return Array.isArray(value) && value.every(isLearnedModel);
}

function isUnfinished(value: unknown): value is UnfinishedTraining {
  return hasKeys(value, "epoch", "epochs", "seed");
}

function isKeptTable(value: unknown): value is KeptTable {
  return hasKeys(value, "key", "title", "kind", "remark", "secondsPerReading", "channels", "length");
}
