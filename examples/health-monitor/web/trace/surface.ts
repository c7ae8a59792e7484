/** A canvas that always has as many pixels as the screen gives it, drawn on in CSS pixels. */

/** A canvas and the size it is drawn at. */
export class Surface {
  readonly context: CanvasRenderingContext2D;
  /** In CSS pixels. */
  width = 0;
  height = 0;
  /** Pixels of the screen for a CSS pixel. */
  scale = 1;
  readonly #canvas: HTMLCanvasElement;

  /** `onResize` is called when what was drawn is gone. */
  constructor(canvas: HTMLCanvasElement, onResize: () => void) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser draws on no canvas");
    this.context = context;
    this.#canvas = canvas;
    new ResizeObserver(() => {
      this.#fit();
      onResize();
    }).observe(canvas);
    this.#fit();
  }

  /** Begins a picture on an empty surface. */
  clear(): void {
    // The same element may have moved to a screen with other pixels.
    if (this.scale !== devicePixelRatio) this.#fit();
    this.context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
  }

  #fit(): void {
    const { width, height } = this.#canvas.getBoundingClientRect();
    this.scale = devicePixelRatio;
    this.width = width;
    this.height = height;
    this.#canvas.width = Math.max(1, Math.round(width * this.scale));
    this.#canvas.height = Math.max(1, Math.round(height * this.scale));
  }
}
