/** Things that one side puts and the other takes, all at once, when it gets round to it. */

/** How a mailbox holds its two sides together. */
export interface MailboxOptions {
  /** So many things may lie here; then who puts waits. */
  readonly limit: number;
  /** Takes are at least this far apart, except at the end. */
  readonly intervalMilliseconds: number;
}

/** A bounded buffer between one that puts and one that takes. */
export class Mailbox<T> {
  readonly #options: MailboxOptions;
  readonly #things: T[] = [];
  #isClosed = false;
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;
  #due = 0;
  #hurry: () => void = () => undefined;

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  /** Adds something; resolves when there is room for more. */
  async put(thing: T): Promise<void> {
    this.#things.push(thing);
    this.#wake();
    while (this.#things.length >= this.#options.limit && !this.#isClosed) await this.#changed();
  }

  /** As `put`, for what must not be lost: it is taken without delay, and this resolves when it was. */
  async putNow(thing: T): Promise<void> {
    this.#things.push(thing);
    this.#due = 0;
    this.#hurry();
    this.#wake();
    while (this.#things.length > 0 && !this.#isClosed) await this.#changed();
  }

  /** Everything so far, as soon as there is something; nothing at the end. @throws what the mailbox was closed with */
  async take(): Promise<readonly T[]> {
    while (this.#things.length === 0 && !this.#isClosed) await this.#changed();
    const wait = this.#due - performance.now();
    if (wait > 0 && !this.#isClosed) await this.#pause(wait);
    this.#due = performance.now() + this.#options.intervalMilliseconds;
    const taken = this.#things.splice(0);
    this.#wake();
    if (taken.length === 0 && this.#failure) throw this.#failure.error;
    return taken;
  }

  /** Nothing more will be put; what is there can still be taken. */
  close(): void {
    this.#isClosed = true;
    this.#hurry();
    this.#wake();
  }

  /** As `close`; who takes is told of the error at the end. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.close();
  }

  /** Resolves after a while, or when there is no time for that. */
  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Resolves when something is put, taken or closed. Only one side can be waiting: the other has something to do. */
  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
