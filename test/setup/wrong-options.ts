/** What tests of options share: for each option a value that works and values that must be refused. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

/** An option: a value that works, then values that do not. */
export type OptionCase = readonly [right: unknown, ...wrong: unknown[]];

/** Something that takes options last: how to call it, what its errors call it, and all of its options. */
export interface OptionsTaker {
  readonly call: (options?: unknown) => unknown;
  readonly operation: string;
  readonly options: { readonly [name: string]: OptionCase };
  /** Options that must be there. */
  readonly needed?: { readonly [name: string]: unknown };
}

/** Values that no number may have, and no list of them. */
export const noNumbers: readonly unknown[] = [Number.NaN, "1", null, {}];
/** Values that no size may have. */
export const noSizes: readonly unknown[] = [...noNumbers, 0, -1, 1.5, Number.POSITIVE_INFINITY];
/** Values that no choice of two may have. */
export const noFlags: readonly unknown[] = ["no", 0, null];

const misspelt = ["learning_rate", "biass", "keepdims"];

/** What `run` throws, or what the promise that it gives is rejected with. */
export async function thrownBy(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  return null;
}

/** Expects an error of the library that names the operation and says what `message` says. */
export async function expectRefusal(
  run: () => unknown,
  operation: string,
  message: string,
  told: string,
): Promise<void> {
  const error = await thrownBy(run);
  expect(error, `${told} gives ${String(error)}`).toBeInstanceOf(mx.MLXError);
  expect(error, told).toHaveProperty("operation", operation);
  expect(String(error), told).toContain(message);
}

/** Tests that each of `takers` takes its options, left out or undefined too, and refuses other names and wrong values. */
export function describeOptions(title: string, takers: { readonly [name: string]: OptionsTaker }): void {
  describe(title, () => {
    describe.each(Object.entries(takers))("%s", (name, { call, operation, options, needed = {} }) => {
      const names = Object.keys(options);

      it("takes each of them, and undefined", async () => {
        for (const [key, [right]] of Object.entries(options)) {
          await call({ ...needed, [key]: right });
          if (!Object.hasOwn(needed, key)) await call({ ...needed, [key]: undefined });
        }
      });

      it("refuses other names", async () => {
        for (const key of misspelt) {
          const message = `"${key}" is no option of { ${names.join(", ")} }`;
          await expectRefusal(() => call({ ...needed, [key]: 1 }), operation, message, `${name} with ${key}`);
        }
      });

      it("refuses what holds no options", async () => {
        for (const wrong of [null, true, 7, "mean"])
          await expectRefusal(() => call(wrong), operation, "takes options", `${name} with ${String(wrong)}`);
      });

      it("refuses wrong values", async () => {
        for (const [key, [, ...wrongs]] of Object.entries(options)) {
          for (const wrong of wrongs)
            await expectRefusal(
              () => call({ ...needed, [key]: wrong }),
              operation,
              key,
              `${name} with ${key} ${String(wrong)}`,
            );
        }
      });
    });
  });
}

/** An instance of `of`, whatever its types say. */
export function made(of: unknown, ...args: readonly unknown[]): unknown {
  if (typeof of !== "function") throw new Error("not a class");
  return Reflect.construct(of, args);
}

/** What `fn` gives, whatever its types say. */
export function called(fn: unknown, ...args: readonly unknown[]): unknown {
  if (typeof fn !== "function") throw new Error("not a function");
  return Reflect.apply(fn, undefined, args);
}
