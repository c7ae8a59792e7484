/** The cast check refuses type assertions and comments that silence, and nothing else. */
import { expect, it } from "vitest";
import { findCasts } from "../../tools/check-casts.ts";

it("a type assertion is refused, `as const` and `satisfies` are not", () => {
  const text = "const a = f() as number;\nconst b = [1] as const;\nconst c = {} satisfies object;\n";
  expect(findCasts("src/base/a.ts", text)).toEqual([
    { place: "src/base/a.ts:1", message: "type assertion: f() as number" },
  ]);
});

it("a comment that silences the compiler or the linter is refused", () => {
  const text =
    "// @ts-expect-error: wrong\nf();\n/* biome-ignore lint: why */\n// @ts-nocheck\n// a biome-ignore in a remark\n";
  expect(findCasts("src/base/a.ts", text).map(({ place }) => place)).toEqual([
    "src/base/a.ts:1",
    "src/base/a.ts:3",
    "src/base/a.ts:4",
  ]);
});
