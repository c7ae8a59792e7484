/** Parts of the library that are loaded when they are first needed, so that a page does not load what it does not use. */
import { LoadError, MLXError } from "./errors.ts";

/** What a file provides, which is loaded, with all that it imports, when it is first needed. */
export class Part<T> {
  readonly #name: string;
  readonly #load: () => Promise<unknown>;
  #content: T | null = null;

  /** `load` is a literal `import("./file.ts")`, so that bundlers find the file; the file calls `provide`. */
  constructor(name: string, load: () => Promise<unknown>) {
    this.#name = name;
    this.#load = load;
  }

  /** Makes the part available; whoever imports the file that calls this has the part without loading it. */
  provide(content: T): void {
    this.#content = content;
  }

  /** What the file provides, or null before it is loaded. */
  peek(): T | null {
    return this.#content;
  }

  /** Begins to load the part, for it will be needed; whoever needs it learns of a failure. */
  prefetch(): void {
    if (this.#content === null) this.#load().catch(() => undefined);
  }

  /** What the file provides, loaded if it is not there. @throws {LoadError} */
  async load(): Promise<T> {
    if (this.#content === null) await new MissingPart(this.#name, this.#load).load();
    return this.get();
  }

  /** What the file provides. @throws {MissingPart} before it is loaded: whoever can wait loads it and tries again */
  get(): T {
    if (this.#content === null) throw new MissingPart(this.#name, this.#load);
    return this.#content;
  }
}

/** Thrown where a part is needed that is not loaded; evaluations load it and try again. */
export class MissingPart extends MLXError {
  override readonly name = "MissingPart";
  readonly #load: () => Promise<unknown>;

  constructor(part: string, load: () => Promise<unknown>) {
    super(part, "is not loaded yet; await evaluate(x) of an array that needs it, which loads it");
    this.#load = load;
  }

  /** Loads the part; a failed attempt leaves nothing behind. @throws {LoadError} */
  async load(): Promise<void> {
    try {
      await this.#load();
    } catch (cause) {
      const remedy = "serve all files of the bundle beside each other; the next evaluation tries again";
      throw new LoadError(this.operation, `cannot be loaded (${cause}): ${remedy}`, { cause });
    }
  }
}
