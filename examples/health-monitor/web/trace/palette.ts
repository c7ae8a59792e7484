/** The colors of the canvases, which the style sheet decides for each theme. */

/** What is drawn in which color. */
export interface Palette {
  readonly ink: string;
  readonly faint: string;
  readonly grid: string;
  readonly surface: string;
  readonly traces: readonly string[];
  readonly alarm: string;
  readonly alarmBand: string;
  readonly labelBand: string;
  readonly training: string;
}

/** The colors that hold for `element` now. */
export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: color("ink"),
    faint: color("muted"),
    grid: color("grid"),
    surface: color("surface"),
    traces: [1, 2, 3, 4].map((index) => color(`series-${index}`)),
    alarm: color("danger"),
    alarmBand: color("alarm-band"),
    labelBand: color("label-band"),
    training: color("training"),
  };
}
