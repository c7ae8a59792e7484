/** The cast check refuses type assertions, and nothing else. */
import { expect, it } from "vitest";
import { findCasts } from "../../tools/check-casts.ts";

it("a type assertion is refused, `as const` and `satisfies` are not", () => {
  const text = "const a = f() as number;\nconst b = [1] as const;\nconst c = {} satisfies object;\n";
  expect(findCasts("src/base/a.ts", text)).toEqual([
    { place: "src/base/a.ts:1", message: "type assertion: f() as number" },
  ]);
});
