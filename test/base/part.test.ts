/** Parts: loaded when first needed, and again after a failure. */
import { describe, expect, it } from "vitest";
import { LoadError } from "../../src/base/errors.ts";
import { MissingPart, Part } from "../../src/base/part.ts";

/** What `part.get()` throws. */
function missing<T>(part: Part<T>): MissingPart {
  try {
    part.get();
  } catch (error) {
    if (error instanceof MissingPart) return error;
  }
  throw new Error("nothing is missing");
}

describe("a part", () => {
  it("is missing until it is loaded, and then there at once", async () => {
    const part: Part<number> = new Part("numbers", async () => part.provide(1));
    await missing(part).load();
    expect(part.get()).toBe(1);
  });

  it("is there without loading once its file has been imported", () => {
    const part = new Part<number>("numbers", () => Promise.reject(new Error("never called")));
    part.provide(1);
    expect(part.get()).toBe(1);
  });

  it("that cannot be loaded is a typed error that names the remedy, and is asked for again", async () => {
    let attempts = 0;
    const part: Part<number> = new Part("numbers", async () => {
      if (++attempts === 1) throw new TypeError("404");
      part.provide(1);
    });
    const failure = missing(part).load();
    await expect(failure).rejects.toThrow(LoadError);
    await expect(failure).rejects.toThrow(/numbers: .*404.*beside each other/);
    await missing(part).load();
    expect(part.get()).toBe(1);
  });
});
