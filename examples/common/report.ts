/** An example's report: one HTML file that needs nothing else, with styles, the plotting library and the data in it. */
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { reasonOf, UserError } from "./command.ts";

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
}

/**
 * Writes a report to `path`, over what may be there.
 *
 * @throws {UserError} if the file system refuses
 */
export async function writeReport(path: string, report: Report): Promise<void> {
  const page = await toPage(report);
  try {
    await writeFile(path, page);
  } catch (error) {
    throw new UserError(`${path}: cannot be written (${reasonOf(error)}); choose another place with --report`);
  }
}

/** A report as the text of its page. */
export async function toPage({ title, lead, sections }: Report): Promise<string> {
  const read = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), "utf8");
  const resolve = createRequire(import.meta.url).resolve;
  const [style, script, plotStyle, plotScript] = await Promise.all([
    read("page.css"),
    read("page.js"),
    readFile(resolve("uplot/dist/uPlot.min.css"), "utf8"),
    readFile(resolve("uplot/dist/uPlot.iife.min.js"), "utf8"),
  ]);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${plotStyle}${style}</style>
<header>
  <h1>${escapeHtml(title)}</h1>
  <p>${escapeHtml(lead)}</p>
</header>
<main>
${sections.join("\n")}
</main>
<script>${plotScript}</script>
<script>${script}</script>
</html>
`;
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
