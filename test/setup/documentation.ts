/** What the generated documentation tests run with: checks that say which line of which document is wrong. */
import { evaluate, MLXArray } from "mlx-ts";
import { expect } from "vitest";

/** The checks that the comments of an example turn into. */
export interface Check {
  /** Exactly the same value; arrays and typed arrays are compared as nested lists. */
  equals(actual: unknown, expected: unknown): Promise<void>;
  /** The same value to four significant digits. */
  approximates(actual: unknown, expected: unknown): Promise<void>;
  /** The same text as the value prints, spaces and all. */
  prints(actual: unknown, expected: string): Promise<void>;
  /** An error of that name. */
  throws(errorName: string, run: () => Promise<void>): Promise<void>;
}

const check: Check = {
  async equals(actual, expected) {
    expect(await toPlain(actual)).toEqual(expected);
  },
  async approximates(actual, expected) {
    const plain = await toPlain(actual);
    expect(plain, "to four significant digits").toSatisfy((value: unknown) => isApproximately(value, expected));
  },
  async prints(actual, expected) {
    if (actual instanceof MLXArray) await evaluate(actual);
    expect(String(actual)).toBe(expected);
  },
  async throws(errorName, run) {
    let thrown: unknown = "nothing";
    try {
      await run();
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof Error ? thrown.name : thrown).toBe(errorName);
  },
};

/** Runs an example of a document; `at` is told which line runs, and an error names it. */
export async function runExample(
  path: string,
  example: (at: (line: number) => void, check: Check) => Promise<void>,
): Promise<void> {
  let current = 0;
  const at = (line: number): void => {
    current = line;
  };
  try {
    await example(at, check);
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new Error(`${path}:${current}: ${message}`, { cause: error });
  }
}

async function toPlain(value: unknown): Promise<unknown> {
  if (value instanceof MLXArray) return value.tolist();
  if (ArrayBuffer.isView(value)) return Object.values(value);
  if (Array.isArray(value)) return Promise.all(value.map(toPlain));
  return value;
}

function isApproximately(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((item, index) => isApproximately(actual[index], item));
  }
  if (typeof expected !== "number" || typeof actual !== "number") return Object.is(actual, expected);
  if (!Number.isFinite(expected)) return Object.is(actual, expected);
  // One unit of the fourth significant digit; zero has none, so it means below 0.0001.
  const unit = expected === 0 ? 1e-4 : 10 ** (Math.floor(Math.log10(Math.abs(expected))) - 3);
  return Math.abs(actual - expected) <= unit;
}
