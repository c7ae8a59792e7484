/** What a program costs the page that loads it stays within its budget. */
import { describe, expect, it } from "vitest";
import { bundleBudgets, measureBundle } from "../../tools/budgets.ts";

describe("bundle budgets", () => {
  it.each(bundleBudgets)("$name: at most $byteLimit bytes are loaded", async ({ program, output, byteLimit }) => {
    const { loaded, outputs } = await measureBundle(program);
    expect(outputs).toEqual([output, output]); // on one thread and on two
    expect(loaded).toBeLessThanOrEqual(byteLimit);
  });
});
