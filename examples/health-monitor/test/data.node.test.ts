/** What the example promises about data: good files are read, and a bad one gets a line naming file, row and remedy. */
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { UserError } from "../../common/command.ts";
import { parseColumns } from "../csv.ts";
import { findPeaks, sampleRate, segmentBeats } from "../ecg/beats.ts";
import { readRecording, readSensorNetwork } from "../files.ts";

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

async function temporaryFile(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "health-monitor-")), "mine.csv");
  await writeFile(path, text);
  return path;
}

describe("columns of numbers", () => {
  it("come in the order asked for, whatever their order in the file", () => {
    const [b, a] = parseColumns("a,c,b\r\n1,x,2\r\n3,y,4\r\n\r\n", "f.csv", ["b", "a"]);
    expect(Array.from(b ?? [])).toEqual([2, 4]);
    expect(Array.from(a ?? [])).toEqual([1, 3]);
  });

  it.each([
    ["a,b\n1,2\n3,\n", "f.csv, row 3: b is missing; fill it in or delete the row"],
    ["a,b\n1,2\n3\n", "f.csv, row 3: b is missing; fill it in or delete the row"],
    ["a,b\n1,two\n", 'f.csv, row 2: b is "two", not a number; correct it or delete the row'],
    ["a,b\n1,NaN\n", 'f.csv, row 2: b is "NaN", not a number; correct it or delete the row'],
    ["a\n1\n", 'f.csv, row 1: no column "b"; the first row must name the columns a, b'],
    ["", 'f.csv, row 1: no column "a", "b"; the first row must name the columns a, b'],
  ])("with a mistake are refused: %j", (text, message) => {
    expect(() => parseColumns(text, "f.csv", ["a", "b"])).toThrow(new UserError(message));
  });
});

describe("recordings", () => {
  it("of both sensor networks hold four motes each", async () => {
    for (const name of ["single-hop", "multi-hop"]) {
      const network = await readSensorNetwork(here(`data/${name}.csv`));
      expect(network.name).toBe(name);
      expect(network.motes.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    }
  });

  it("that end too early are refused with the row and the remedy", async () => {
    const path = await temporaryFile("mote_id,indoor,humidity,temperature,label\n1,0,45,27,0\n1,0,45,27,0\n");
    await expect(readSensorNetwork(path)).rejects.toThrow(
      `${path}, row 3: mote 1 ends after 2 readings; record at least 400 or leave the mote out`,
    );
    const short = await temporaryFile("count\n1024\n1025\n");
    await expect(readRecording(short)).rejects.toThrow(`${short}, row 3: the recording ends after 2 samples`);
  });

  it("that are not there are one line, and no stack, in the terminal", async () => {
    const root = here("../..");
    const tsx = join(root, "node_modules/tsx/dist/cli.mjs");
    const run = promisify(execFile)(process.execPath, [tsx, here("main.ts"), "--ecg", "/nowhere.csv"], { cwd: root });
    await expect(run).rejects.toMatchObject({
      code: 1,
      stderr: "/nowhere.csv: cannot be read (ENOENT); check the path\n",
    });
  });
});

describe("beats", () => {
  it("of the recording come at a heart's pace", async () => {
    const beats = segmentBeats(await readRecording(here("data/ecg-208.csv")));
    expect(beats.length).toBe(494);
    const intervals = beats.slice(1).map(({ peak }, index) => (peak - (beats[index]?.peak ?? 0)) / sampleRate);
    expect(Math.min(...intervals)).toBeGreaterThan(0.2);
    expect(intervals.filter((seconds) => seconds < 1.5).length).toBeGreaterThan(0.97 * intervals.length);
  });

  it("are found once each, also where their tops are flat", () => {
    const flat = new Float64Array(20 * sampleRate);
    const tops = Array.from({ length: 19 }, (_, k) => Math.round((k + 0.5) * sampleRate));
    for (const top of tops) flat.fill(1, top, top + 3);
    expect(findPeaks(flat)).toEqual(tops);
  });
});
