/** The parts of a report as HTML; wherever the page is put together, in Node or in a browser. */

/** A curve of a plot. */
export interface Curve {
  readonly label: string;
  /** One value for each place of the plot's horizontal axis; null leaves a gap. */
  readonly values: readonly (number | null)[];
}

/** A plot of curves over one horizontal axis. */
export interface Plot {
  readonly across: { readonly label: string; readonly values: readonly number[] };
  readonly up: { readonly label: string; readonly isLogarithmic?: boolean };
  readonly curves: readonly Curve[];
}

/** A gray image, drawn from black (0) to white (255). */
export interface GrayImage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** A report before it is written. */
export interface Report {
  readonly title: string;
  /** One sentence below the title. */
  readonly lead: string;
  /** Sections as HTML, from `section`. */
  readonly sections: readonly string[];
  /** HTML below the sections. */
  readonly footer?: string;
  /** What the page's own script reads, as JSON, from the element with the id "data". */
  readonly data?: unknown;
}

/** What a report's page carries with it. */
export interface PageParts {
  readonly style: string;
  /** Scripts, in their order. */
  readonly scripts: readonly string[];
}

/** A report as the text of a page that needs nothing else. */
export function pageOf({ title, lead, sections, footer, data }: Report, { style, scripts }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
<header>
  <h1>${escapeHtml(title)}</h1>
  <p>${escapeHtml(lead)}</p>
</header>
<main>
${sections.join("\n")}
</main>
${footer === undefined ? "" : `<footer>${footer}</footer>\n`}${data === undefined ? "" : dataElement(data)}${scripts.map((script) => `<script>${script}</script>\n`).join("")}</html>
`;
}

function dataElement(data: unknown): string {
  // No text in it can end the element.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<script type="application/json" id="data">${json}</script>\n`;
}

/** A section of a report: its heading, and HTML below it. */
export function section(heading: string, ...parts: readonly string[]): string {
  return `<section>\n<h2>${escapeHtml(heading)}</h2>\n${parts.join("\n")}\n</section>`;
}

/** A paragraph of plain text. */
export function paragraph(text: string): string {
  return `<p>${escapeHtml(text)}</p>`;
}

/** The place of a plot, which the page draws. */
export function plot(data: Plot): string {
  return `<div class="plot" data-plot="${escapeHtml(JSON.stringify(data))}"></div>`;
}

/** An image that the page draws, with a caption below it. */
export function figure({ width, height, pixels }: GrayImage, caption: string): string {
  const data = Buffer.from(pixels).toString("base64");
  return `<figure><canvas width="${width}" height="${height}" data-pixels="${data}"></canvas><figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/** A table whose first row and first column are headings. `shade` gives the share of color behind a cell, from 0 to 1. */
export function table(
  rows: readonly (readonly (string | number)[])[],
  shade: (row: number, column: number) => number = () => 0,
): string {
  const cell = (value: string | number, row: number, column: number): string => {
    const text = escapeHtml(String(value));
    if (row === 0 || column === 0) return `<th>${text}</th>`;
    const strength = shade(row, column);
    return strength > 0 ? `<td style="--shade: ${Math.round(100 * strength)}%">${text}</td>` : `<td>${text}</td>`;
  };
  const lines = rows.map((cells, row) => `<tr>${cells.map((value, column) => cell(value, row, column)).join("")}</tr>`);
  return `<div class="figures"><table>${lines.join("\n")}</table></div>`;
}

/** Plain text as HTML that shows it. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
