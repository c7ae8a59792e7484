/** What drawing promises: extents of any stretch, however the values came. */
import { describe, expect, it } from "vitest";
import { extentsOf, Pyramid } from "../web/trace/pyramid.ts";

const values = Float64Array.from({ length: 1000 }, (_, k) => Math.sin(k * 12.9898) * 43758.5453);

function extentByHand(start: number, end: number): { least: number; greatest: number } {
  const stretch = values.subarray(start, end);
  return { least: Math.min(...stretch), greatest: Math.max(...stretch) };
}

describe("a pyramid of extents", () => {
  const whole = new Pyramid(values);
  const grown = new Pyramid(new Float64Array(0));
  for (const value of values) grown.append(value);
  const begun = new Pyramid(values.slice(0, 77));
  for (const value of values.subarray(77)) begun.append(value);
  const given = new Pyramid(
    values,
    extentsOf(values, (length) => new Float64Array(length)),
  );

  it.each([
    ["made at once", whole],
    ["grown value by value", grown],
    ["made and then grown", begun],
    ["given its levels", given],
  ])("%s knows the extent of every stretch", (_, pyramid) => {
    expect(pyramid.length).toBe(1000);
    for (let start = 0; start < 1000; start += 37) {
      for (let end = start + 1; end <= 1000; end += 41)
        expect(pyramid.extent(start, end)).toEqual(extentByHand(start, end));
    }
  });

  it("has no extent where there are no values", () => {
    expect(whole.extent(1000, 2000)).toEqual({ least: Number.POSITIVE_INFINITY, greatest: Number.NEGATIVE_INFINITY });
    expect(new Pyramid(Float64Array.of(3)).extent(-5, 5)).toEqual({ least: 3, greatest: 3 });
  });
});
