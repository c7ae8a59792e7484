/** What examples share: comparing devices, progress, and reports. */
import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { positiveNumber, UserError, wholeNumber } from "../command.ts";
import { compareDevices, describeComparison } from "../devices.ts";
import { figure, paragraph, plot, section, table } from "../html.ts";
import { progressBar, RunningMean } from "../progress.ts";
import { toPage, writeReport } from "../report.ts";

describe("a comparison of devices", () => {
  const runs = (...curves: readonly (readonly number[])[]): (() => Promise<readonly number[]>) => {
    let next = 0;
    return async () => curves[next++] ?? [];
  };

  it("finds the largest difference of a step", async () => {
    const comparison = await compareDevices(runs([3, 2, 1], [3, 2.25, 1.125]), ["cpu", "cpu"]);
    expect(comparison.difference).toBe(0.25);
    expect(describeComparison(comparison).split("\n")).toHaveLength(5);
  });

  it("takes a loss that is missing or not a number for infinitely far away", async () => {
    expect((await compareDevices(runs([1, 2], [1]), ["cpu", "cpu"])).difference).toBe(Number.POSITIVE_INFINITY);
    expect((await compareDevices(runs([1], [Number.NaN]), ["cpu", "cpu"])).difference).toBe(Number.POSITIVE_INFINITY);
  });

  it("refuses a device that does not exist", async () => {
    await expect(compareDevices(runs([1]), ["abacus"])).rejects.toThrow(UserError);
  });
});

describe("progress", () => {
  function recorder(isTTY: boolean): { output: NodeJS.WriteStream; text: () => string } {
    let text = "";
    const stream = new Writable({
      write(chunk, _, done) {
        text += String(chunk);
        done();
      },
    });
    return {
      output: Object.assign(Object.create(process.stdout), { isTTY, write: stream.write.bind(stream) }),
      text: () => text,
    };
  }

  it("leaves a few lines in a log, the last one whole", () => {
    const { output, text } = recorder(false);
    const show = progressBar("pass", output);
    for (let done = 1; done <= 1000; done++) show(done, 1000, `loss ${done}`);
    const lines = text().trimEnd().split("\n");
    expect(lines).toHaveLength(10);
    expect(lines.at(-1)).toMatch(/pass █{24} 100 % {2}loss 1000/);
  });

  it("moves one line in a terminal, and ends it", () => {
    const { output, text } = recorder(true);
    const show = progressBar("pass", output);
    for (let done = 1; done <= 1000; done++) show(done, 1000, "");
    expect(text().match(/\n/g)).toHaveLength(1);
    expect(text().endsWith("\n")).toBe(true);
  });

  it("smooths its figures from the first one on", () => {
    const mean = new RunningMean();
    mean.add(4);
    expect(mean.value).toBe(4);
    mean.add(2);
    expect(mean.value).toBe(3);
  });
});

describe("a report", () => {
  it("shows text as text, and loads nothing from elsewhere", async () => {
    const page = await toPage({
      title: "<b> & co",
      lead: "",
      sections: [
        section(
          "Everything",
          paragraph('a < b "quoted"'),
          plot({
            across: { label: "step", values: [1, 2] },
            up: { label: "loss" },
            curves: [{ label: "</div>", values: [1, null] }],
          }),
          figure({ width: 2, height: 1, pixels: Uint8Array.of(0, 255) }, "pixels"),
          table(
            [
              ["", "x"],
              ["y", 1],
            ],
            () => 0.5,
          ),
        ),
      ],
    });
    expect(page).toContain("<title>&lt;b&gt; &amp; co</title>");
    expect(page).toContain("a &lt; b &quot;quoted&quot;");
    expect(page).toContain('data-pixels="AP8="');
    expect(page).toContain('<td style="--shade: 50%">1</td>');
    expect(page).toContain("&lt;/div&gt;");
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
    expect(page).not.toMatch(/@import|url\(/);
  });

  it("that cannot be written is told in a line", async () => {
    await expect(writeReport("/nowhere/report.html", { title: "", lead: "", sections: [] })).rejects.toThrow(
      "/nowhere/report.html: cannot be written (ENOENT); choose another place with --report",
    );
  });
});

describe("numbers on the command line", () => {
  it("are what they should be, or refused", () => {
    expect(wholeNumber("steps", "12", 1)).toBe(12);
    expect(positiveNumber("temperature", "0.5")).toBe(0.5);
    for (const text of ["", "x", "1.5", "-1", "0"]) expect(() => wholeNumber("steps", text, 1)).toThrow(UserError);
    for (const text of ["", "x", "0", "-1", "Infinity"]) expect(() => positiveNumber("t", text)).toThrow(UserError);
  });
});
