/** An example's report: one HTML file that needs nothing else, with styles, the plotting library and the data in it. */
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { reasonOf, UserError } from "./command.ts";
import { pageOf, type Report } from "./html.ts";

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
export async function toPage(report: Report): Promise<string> {
  const read = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), "utf8");
  const resolve = createRequire(import.meta.url).resolve;
  const [style, script, plotStyle, plotScript] = await Promise.all([
    read("page.css"),
    read("page.js"),
    readFile(resolve("uplot/dist/uPlot.min.css"), "utf8"),
    readFile(resolve("uplot/dist/uPlot.iife.min.js"), "utf8"),
  ]);
  return pageOf(report, { style: plotStyle + style, scripts: [plotScript, script] });
}
