/** Parts of the library that are loaded when they are first needed, so that a page does not load what it does not use. */
import { LoadError, MLXError } from "./errors.ts";

/** A file, with what it imports, that is loaded when it is first needed. */
export class Part<T> {
  readonly #name: string;
  readonly #import: () => Promise<T>;
  #loaded: T | null = null;

  /** `load` is a literal `import("./file.ts")`, so that bundlers find the file. */
  constructor(name: string, load: () => Promise<T>) {
    this.#name = name;
    this.#import = load;
  }

  /** What the file exports. @throws {MissingPart} before it is loaded: whoever can wait loads it and tries again */
  get(): T {
    if (this.#loaded === null) throw new MissingPart(this.#name, () => this.load());
    return this.#loaded;
  }

  /** Loads the file, once; a failed attempt leaves nothing behind. @throws {LoadError} */
  async load(): Promise<T> {
    try {
      this.#loaded ??= await this.#import();
      return this.#loaded;
    } catch (cause) {
      const remedy = "serve all files of mlx-ts, or of the bundle, beside each other; the next evaluation tries again";
      throw new LoadError("evaluate", `the part "${this.#name}" cannot be loaded (${cause}): ${remedy}`, { cause });
    }
  }
}

/** Thrown where a part is needed that is not loaded; evaluations load it and try again. */
export class MissingPart extends MLXError {
  override readonly name = "MissingPart";
  readonly load: () => Promise<unknown>;

  constructor(part: string, load: () => Promise<unknown>) {
    super(part, "this part is not loaded yet");
    this.load = load;
  }
}
