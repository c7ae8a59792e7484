/** The colours of the page, as canvases need them: read from the styles, and read anew when the theme changes. */

/** Colours by their part, as CSS resolves them. */
export interface Colours {
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  /** Of the lines of a chart, one after the other. */
  readonly series: readonly string[];
}

/** How many colours lines have before they repeat. */
export const seriesCount = 6;

/** Resolves custom properties beneath an element. */
export class Palette {
  readonly #probe: HTMLElement;
  readonly #listeners = new Set<() => void>();
  #colours: Colours | null = null;
  #ink = "";

  /** @param probe an element without content, whose colour this is free to set */
  constructor(probe: HTMLElement) {
    this.#probe = probe;
  }

  get colours(): Colours {
    this.#colours ??= this.#read();
    return this.#colours;
  }

  /** Reads the colours anew if the theme has changed, and tells the listeners. */
  refresh(): void {
    const ink = this.#resolve("--ink");
    if (ink === this.#ink) return;
    this.#ink = ink;
    this.#colours = null;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` when colours have changed; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #read(): Colours {
    return {
      ink: this.#resolve("--ink"),
      muted: this.#resolve("--muted"),
      line: this.#resolve("--line"),
      surface: this.#resolve("--surface"),
      series: Array.from({ length: seriesCount }, (_, k) => this.#resolve(`--series-${k + 1}`)),
    };
  }

  #resolve(property: string): string {
    this.#probe.style.color = `var(${property})`;
    return getComputedStyle(this.#probe).color;
  }
}

/** A colour, as CSS resolved it, made transparent. */
export function faint(colour: string, alpha: number): string {
  const channels =
    /rgba?\(([^)]+)\)/
      .exec(colour)?.[1]
      ?.split(/[,\s/]+/)
      .slice(0, 3) ?? [];
  return channels.length === 3 ? `rgba(${channels.join(", ")}, ${alpha})` : colour;
}
