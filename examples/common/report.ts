/** An example's report: one HTML file that needs nothing else, with styles, the plotting library and the data in it. */
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { reasonOf, UserError } from "./command.ts";
import { pageOf, type Report } from "./html.ts";

/** An example's own part in how its report looks. */
export interface Look {
  /** Styles beside those that all reports have. */
  readonly style?: URL;
  /** Draws what is to be drawn; unless given, the plots and figures of `html.ts`. */
  readonly script?: URL;
}

/**
 * Writes a report to `path`, over what may be there.
 *
 * @throws {UserError} if the file system refuses
 */
export async function writeReport(path: string, report: Report, look: Look = {}): Promise<void> {
  const page = await toPage(report, look);
  try {
    await writeFile(path, page);
  } catch (error) {
    throw new UserError(`${path}: cannot be written (${reasonOf(error)}); choose another place with --report`);
  }
}

/** A report as the text of its page. */
export async function toPage(report: Report, { style, script = besides("page.js") }: Look = {}): Promise<string> {
  const { resolve } = createRequire(import.meta.url);
  const read = async (...files: readonly (URL | string)[]): Promise<string[]> =>
    Promise.all(files.map((file) => readFile(file, "utf8")));
  const styles = await read(resolve("uplot/dist/uPlot.min.css"), besides("page.css"), ...(style ? [style] : []));
  const scripts = await read(resolve("uplot/dist/uPlot.iife.min.js"), script);
  return pageOf(report, { style: styles.join(""), scripts });
}

function besides(name: string): URL {
  return new URL(name, import.meta.url);
}
