/** What an import costs stays within its budget. */
import { describe, expect, it } from "vitest";
import { bundleBudgets, measureBundle } from "../../tools/budgets.ts";

describe("bundle budgets", () => {
  it.each(bundleBudgets)("$name: at most $byteLimit bytes", async ({ program, byteLimit }) => {
    expect(await measureBundle(program)).toBeLessThanOrEqual(byteLimit);
  });
});
