/** What the parts of the app promise that need no browser. */
import { describe, expect, it } from "vitest";
import { AlarmTrack } from "../web/alarms.ts";
import { formatClock, Playback } from "../web/playback.ts";
import { GrowingTrack } from "../web/sources/growing-track.ts";
import { parseMeasurement } from "../web/sources/heart-rate-strap.ts";
import { multiples, niceStep, niceTimeStep } from "../web/trace/ticks.ts";

const bytes = (...values: readonly number[]): DataView => new DataView(Uint8Array.from(values).buffer);

const noBeats = { beats: [], beatsStart: 0, beatsEnd: 0 };

describe("alarms", () => {
  const judge = (track: AlarmTrack, start: number, levels: readonly number[]) =>
    track.add({ start, end: start + levels.length, levels: Float32Array.from(levels), ...noBeats });

  it("join where readings judged apart touch", () => {
    const track = new AlarmTrack(10);
    judge(track, 0, [0, 0, 2]);
    judge(track, 3, [3, 0, 0]);
    judge(track, 6, [0, 0, 0, 5]);
    expect(track.alarms.map(({ start, end, peak, level }) => [start, end, peak, level])).toEqual([
      [2, 4, 3, 3],
      [9, 10, 9, 5],
    ]);
    expect(track.firstUnjudged(0, 10)).toBe(10);
  });

  it("are new once, and go when a reading is judged otherwise", () => {
    const track = new AlarmTrack(6);
    expect(judge(track, 0, [0, 2]).length).toBe(1);
    expect(judge(track, 2, [2, 2, 0, 0]).length).toBe(0);
    judge(track, 0, [0, 0, 0, 0, 0, 0]);
    expect(track.alarms).toEqual([]);
  });

  it("of beats come in order, each once, and change when they are judged again", () => {
    const track = new AlarmTrack(1000);
    const beat = (peak: number, level: number) => ({
      peak,
      level,
      values: new Float32Array(0),
      drawing: new Float32Array(0),
    });
    const judgeBeats = (start: number, end: number, ...beats: readonly ReturnType<typeof beat>[]) =>
      track.add({ start, end, levels: new Float32Array(0), beats, beatsStart: start - 180, beatsEnd: end - 180 });
    judgeBeats(500, 1000, beat(700, 2));
    judgeBeats(0, 500, beat(100, 3), beat(300, 0.5));
    expect(track.alarms.map(({ peak }) => peak)).toEqual([100, 700]);
    expect(track.beats.length).toBe(3);
    track.renew();
    expect(track.firstUnjudged(0, 1000)).toBe(0);
    expect(track.alarms.length).toBe(2);
    judgeBeats(500, 1000, beat(700, 0.9));
    expect(track.alarms.map(({ peak }) => peak)).toEqual([100]);
  });

  it("have room for readings that come later", () => {
    const track = new AlarmTrack(0);
    track.grow(3);
    expect(track.firstUnjudged(0, 3)).toBe(0);
    judge(track, 0, [0, 2, 0]);
    track.grow(5);
    expect(track.alarms.length).toBe(1);
    expect(track.firstUnjudged(0, 5)).toBe(3);
  });
});

describe("a strap's measurement", () => {
  it("has its rate in one byte, and the interval that the rate tells", () => {
    expect(parseMeasurement(bytes(0, 60))).toEqual({ rate: 60, interval: 1000 });
  });

  it("may have its rate in two bytes, energy, and several intervals in 1/1024 s", () => {
    const value = bytes(0b11001, 0x2c, 0x01, 9, 9, 0x00, 0x04, 0x00, 0x02);
    expect(parseMeasurement(value)).toEqual({ rate: 300, interval: 750 });
  });
});

describe("playing", () => {
  it("goes as fast as it is told, and ends at the end", () => {
    const playback = new Playback();
    Object.assign(playback, { length: 100, secondsPerReading: 0.5, speed: 10 });
    expect(playback.advance(100)).toBe(false);
    expect(playback.position).toBeCloseTo(2);
    playback.seek(1e9);
    expect(playback.advance(10)).toBe(true);
    playback.isLive = true;
    expect(playback.advance(10)).toBe(false);
  });

  it("passes over the time in which the page was hidden", () => {
    const playback = new Playback();
    playback.length = 1e6;
    playback.advance(60_000);
    expect(playback.position).toBe(0.25);
  });

  it("tells the time", () => {
    expect([formatClock(7.25, 1), formatClock(59.96, 1), formatClock(3599.6), formatClock(3725)]).toEqual([
      "0:07.3",
      "1:00.0",
      "1:00:00",
      "1:02:05",
    ]);
  });
});

describe("lines of the trace", () => {
  it("are at round numbers", () => {
    expect(niceStep(7, 5)).toBe(2);
    expect(niceStep(0.03, 4)).toBeCloseTo(0.01);
    expect(niceTimeStep(100, 8)).toBe(15);
    expect(multiples(2, -3, 3)).toEqual([-2, 0, 2]);
  });
});

describe("a track that grows", () => {
  it("has what was appended, and no more", () => {
    const track = new GrowingTrack("strap", 2);
    for (let k = 0; k < 3000; k++) track.append([k, -k]);
    expect(track.length).toBe(3000);
    expect(track.channels.map((values) => [values.length, values[2999]])).toEqual([
      [3000, 2999],
      [3000, -2999],
    ]);
    expect(track.labels.length).toBe(3000);
  });
});
