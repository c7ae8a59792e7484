/** Parts: loaded when first needed, and again after a failure. */
import { describe, expect, it } from "vitest";
import { LoadError } from "../../src/base/errors.ts";
import { MissingPart, Part } from "../../src/base/part.ts";

describe("a part", () => {
  it("is missing until it is loaded, and then there at once", async () => {
    const part = new Part("numbers", async () => ({ one: 1 }));
    expect(() => part.get()).toThrow(MissingPart);
    await part.load();
    expect(part.get().one).toBe(1);
  });

  it("can be loaded by whoever catches that it is missing", async () => {
    const part = new Part("numbers", async () => ({ one: 1 }));
    try {
      part.get();
    } catch (error) {
      if (error instanceof MissingPart) await error.load();
    }
    expect(part.get().one).toBe(1);
  });

  it("that cannot be loaded is a typed error that names the remedy, and is asked for again", async () => {
    let attempts = 0;
    const part = new Part("numbers", async () => {
      if (++attempts === 1) throw new TypeError("404");
      return { one: 1 };
    });
    const failure = part.load();
    await expect(failure).rejects.toThrow(LoadError);
    await expect(failure).rejects.toThrow(/"numbers".*404.*beside each other/);
    expect(() => part.get()).toThrow(MissingPart);
    expect((await part.load()).one).toBe(1);
  });
});
