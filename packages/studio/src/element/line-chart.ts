/** A chart of figures over steps: a line of means in a band of bounds, drawn by uPlot and read by pointer, keys or ear. */
import uPlot from "uplot";
import { type ChartLine, columnsOf } from "./chart-data.ts";
import { formatCount, formatTick } from "./format.ts";
import { make, makeButton, setAttributes, setText } from "./make.ts";
import { faint, type Palette, seriesCount } from "./palette.ts";

/** What a chart is. */
export interface ChartOptions {
  readonly title: string;
  readonly palette: Palette;
  readonly format: (value: number) => string;
  readonly formatAxis?: (value: number) => string;
  /** What ticks may be apart; round decimal numbers unless given. */
  readonly increments?: number[];
  /** Whether the axis begins at zero, for amounts whose share of the whole tells more than their change. */
  readonly fromZero?: boolean;
  readonly height: number;
  /** Whether the reader may choose a logarithmic axis. */
  readonly hasScales?: boolean;
}

const font = '11px Inter, ui-sans-serif, system-ui, "Segoe UI", sans-serif';
/** A line has at least so many points before any are joined. */
const fewestPoints = 64;
/** What an arrow key and a page key move by, in rows. */
const keySteps: ReadonlyMap<string, number> = new Map([
  ["ArrowRight", 1],
  ["ArrowUp", 1],
  ["ArrowLeft", -1],
  ["ArrowDown", -1],
  ["PageUp", 50],
  ["PageDown", -50],
  ["Home", Number.NEGATIVE_INFINITY],
  ["End", Number.POSITIVE_INFINITY],
]);

/** One chart. */
export class LineChart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #plotPlace = make("div", { class: "plot", role: "slider", tabindex: 0, "aria-valuemin": 0 });
  readonly #reading = make("output", { class: "reading" });
  readonly #resize: ResizeObserver;
  readonly #sight: IntersectionObserver;
  readonly #endPalette: () => void;
  #lines: readonly ChartLine[] = [];
  /** All that is known, which is read, and fewer points of it, which are drawn. */
  #data: ReturnType<typeof columnsOf> = [[]];
  #drawn: ReturnType<typeof columnsOf> = [[]];
  #plot: uPlot | null = null;
  #isLogarithmic = false;
  /** A chart that nobody sees is not drawn. */
  #isInSight = true;
  #isStale = false;
  #row: number | null = null;

  constructor(options: ChartOptions) {
    this.#options = options;
    const { title, hasScales } = options;
    this.#plotPlace.setAttribute("aria-label", `${title} over steps`);
    this.#plotPlace.addEventListener("keydown", (event) => this.#onKey(event));
    this.#plotPlace.addEventListener("blur", () => this.#point(null));
    const caption = make("figcaption", {}, make("h3", {}, title), this.#reading);
    if (hasScales) caption.append(this.#scaleSwitch());
    this.#plotPlace.style.height = `${options.height}px`;
    this.element = make("figure", { class: "chart" }, caption, this.#plotPlace);
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(this.#plotPlace);
    this.#sight = new IntersectionObserver((entries) => {
      this.#isInSight = entries.at(-1)?.isIntersecting ?? true;
      if (this.#isInSight && this.#isStale) this.#draw();
    });
    this.#sight.observe(this.#plotPlace);
    this.#endPalette = options.palette.onChange(() => this.#plot?.redraw(false));
  }

  /** Draws these lines from now on. */
  show(lines: readonly ChartLine[]): void {
    const isSameForm =
      lines.length === this.#lines.length && lines.every(({ colour }, k) => colour === this.#lines[k]?.colour);
    this.#lines = lines;
    this.#arrange();
    if (!isSameForm || !this.#plot) this.#build();
    else if (this.#isInSight) this.#draw();
    else this.#isStale = true;
    this.#read();
  }

  /** Points nearer to each other than two pixels are a thicket; joined, they are a line in a band. */
  #arrange(): void {
    const isLogarithmic = this.#isLogarithmic;
    const most = Math.max(fewestPoints, this.#plotPlace.clientWidth / 2);
    this.#data = columnsOf(this.#lines, { isLogarithmic, most: Number.POSITIVE_INFINITY });
    this.#drawn = columnsOf(this.#lines, { isLogarithmic, most });
  }

  #draw(): void {
    this.#isStale = false;
    this.#plot?.setData(this.#drawn);
  }

  /** Lets go of what the chart observes. */
  dispose(): void {
    this.#resize.disconnect();
    this.#sight.disconnect();
    this.#endPalette();
    this.#plot?.destroy();
    this.#plot = null;
  }

  #fit(): void {
    const width = this.#plotPlace.clientWidth;
    if (width === 0) return;
    this.#arrange();
    this.#plot?.setSize({ width, height: this.#options.height });
    if (this.#plot) this.#draw();
    else this.#build();
  }

  #build(): void {
    this.#plot?.destroy();
    this.#plot = null;
    const width = this.#plotPlace.clientWidth;
    if (width === 0 || this.#lines.length === 0) return;
    const { palette, height, formatAxis = formatTick, increments, fromZero } = this.#options;
    const axis: uPlot.Axis = {
      font,
      stroke: () => palette.colours.muted,
      grid: { stroke: () => palette.colours.line, width: 1 },
      ticks: { show: false },
      gap: 6,
    };
    const hasManyLines = this.#lines.length > 1;
    const colourOf = (colour: number): string => palette.colours.series[colour % seriesCount] ?? "";
    const options: uPlot.Options = {
      width,
      height,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        // On the line, not on the bounds of its band.
        points: {
          size: (_, k) => (k % 3 === 1 ? 7 : 0),
          width: (_, __, size) => (size > 0 ? 2 : 0),
          fill: () => palette.colours.surface,
          stroke: (_, k) => colourOf(this.#lines[Math.floor((k - 1) / 3)]?.colour ?? 0),
        },
      },
      scales: {
        x: { time: false, range: (_, from, to) => [from ?? 0, to > from ? to : from + 1] },
        y: this.#isLogarithmic ? { distr: 3 } : fromZero ? { range: (_, __, to) => [0, 1.08 * (to > 0 ? to : 1)] } : {},
      },
      axes: [
        { ...axis, grid: { show: false }, space: 64, size: 26, values: (_, ticks) => ticks.map(formatCountTick) },
        {
          ...axis,
          ...(increments && { incrs: increments }),
          space: height < 200 ? 28 : 36,
          size: (_, values) => 12 + 6.4 * Math.max(3, ...(values ?? []).map((value) => value?.length ?? 0)),
          values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : formatAxis(tick))),
        },
      ],
      series: [
        {},
        ...this.#lines.flatMap(({ label, colour }): uPlot.Series[] => {
          const stroke = (): string => colourOf(colour);
          const bound: uPlot.Series = { points: { show: false }, width: 0, spanGaps: hasManyLines };
          return [
            { label, stroke, width: 1.75, spanGaps: hasManyLines, points: { show: (plot) => plot.data[0].length < 3 } },
            bound,
            bound,
          ];
        }),
      ],
      bands: this.#lines.map(
        ({ colour }, k): uPlot.Band => ({
          series: [3 * k + 2, 3 * k + 3],
          fill: () => faint(colourOf(colour), hasManyLines ? 0.1 : 0.18),
        }),
      ),
      hooks: {
        setCursor: [
          ({ cursor: { idx } }) => {
            const step = this.#drawn[0][idx ?? -1];
            this.#row = step === undefined ? null : this.#data[0].indexOf(step);
            this.#read();
          },
        ],
      },
    };
    this.#plot = new uPlot(options, this.#drawn, this.#plotPlace);
  }

  /** Shows, and has read aloud, the values at the cursor, or the latest ones. */
  #read(): void {
    const [steps] = this.#data;
    const row = this.#row !== null && this.#row < steps.length ? this.#row : steps.length - 1;
    const step = steps[row];
    if (step === undefined) {
      setText(this.#reading, "");
      setAttributes(this.#plotPlace, { "aria-valuenow": 0, "aria-valuetext": "no values yet" });
      return;
    }
    const values = this.#lines.flatMap(({ label, colour }, k) => {
      const column = this.#data[3 * k + 1] ?? [];
      const value = this.#row === null ? lastValue(column) : column[row];
      return typeof value === "number" ? [{ label, colour, text: this.#options.format(value) }] : [];
    });
    this.#showReading(this.#row === null ? "" : `step ${formatCount(step)}`, values);
    const isAlone = this.#lines.length === 1;
    const told = values.map(({ label, text }) => (isAlone ? text : `${label} ${text}`));
    setAttributes(this.#plotPlace, {
      "aria-valuemin": steps[0] ?? 0,
      "aria-valuemax": steps.at(-1) ?? 0,
      "aria-valuenow": step,
      "aria-valuetext": `step ${formatCount(step)}: ${told.join(", ") || "no value"}`,
    });
  }

  /** Values beside the title; of several lines, each in its line's colour. */
  #showReading(place: string, values: readonly { readonly colour: number; readonly text: string }[]): void {
    const parts = values.map(({ colour, text }) => {
      const part = make("span", {}, text);
      if (this.#lines.length > 1) part.style.color = `var(--series-${(colour % seriesCount) + 1})`;
      return part;
    });
    this.#reading.replaceChildren(...(place === "" ? [] : [make("span", {}, place)]), ...parts);
  }

  #onKey(event: KeyboardEvent): void {
    const move = keySteps.get(event.key);
    const [steps] = this.#data;
    if (move === undefined || steps.length === 0) return;
    event.preventDefault();
    const from = this.#row ?? steps.length - 1;
    this.#point(Math.max(0, Math.min(steps.length - 1, from + move)));
  }

  /** Puts the cursor on a row, or takes it away. */
  #point(row: number | null): void {
    const step = row === null ? undefined : this.#data[0][row];
    const left = step === undefined || !this.#plot ? -10 : this.#plot.valToPos(step, "x");
    this.#plot?.setCursor({ left, top: step === undefined ? -10 : 0 });
    this.#row = row;
    this.#read();
  }

  #scaleSwitch(): HTMLElement {
    const button = makeButton(
      { class: "quiet", "aria-pressed": "false", title: "Logarithmic axis" },
      () => {
        this.#isLogarithmic = !this.#isLogarithmic;
        button.setAttribute("aria-pressed", String(this.#isLogarithmic));
        this.#arrange();
        this.#build();
      },
      "log",
    );
    return button;
  }
}

function formatCountTick(step: number | null): string {
  return step === null || !Number.isInteger(step) ? "" : formatTick(step);
}

/** The latest value of a line, which may have ended before others. */
function lastValue(column: readonly (number | null | undefined)[]): number | undefined {
  return column.findLast((value) => typeof value === "number") ?? undefined;
}
