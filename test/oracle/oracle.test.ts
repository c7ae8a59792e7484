/** Replays what MLX computed through our functions: one test per area and function, every differing call in its message. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";
import { describeCase, groupOf } from "./describe-case.ts";
import { unrecorded } from "./functions.ts";
import type { OracleCase } from "./recorded-shards.ts";
import { shards } from "./recorded-shards.ts";
import { replay } from "./replay.ts";

const shown = 12;

for (const shard of shards) {
  describe(`${shard.area}, as MLX ${shard.mlx} computed it`, () => {
    const groups = new Map<string, OracleCase[]>();
    for (const recorded of shard.cases) {
      const group = groupOf(recorded);
      groups.set(group, [...(groups.get(group) ?? []), recorded]);
    }
    for (const [group, cases] of groups) {
      it(`${group} gives what MLX gives (${cases.length})`, async () => {
        const failures: string[] = [];
        for (const recorded of cases) {
          const found = await replay(shard, recorded);
          if (found !== null) failures.push(`${describeCase(recorded)}: ${found}`);
        }
        const rest = failures.length > shown ? [`… ${failures.length - shown} more`] : [];
        if (failures.length > 0)
          expect.fail(
            [`${failures.length} of ${cases.length} differ`, ...failures.slice(0, shown), ...rest].join("\n"),
          );
      });
    }
  });
}

describe("the oracle", () => {
  const recordedNames = new Set(shards.flatMap(({ cases }) => cases.flatMap(namesIn)));
  const exported: readonly (readonly [string, object])[] = [
    ["", mx],
    ["nn.", nn],
    ["losses.", nn.losses],
    ["random.", mx.random],
    ["fast.", mx.fast],
    ["linalg.", mx.linalg],
    ["optim.", optim],
  ];

  it("has a case for every public function", () => {
    const missing = exported.flatMap(([prefix, owner]) =>
      Object.entries(owner)
        .filter(([, value]) => typeof value === "function")
        .map(([name]) => `${prefix}${name}`)
        .filter((name) => !recordedNames.has(name) && unrecorded[name] === undefined),
    );
    expect(missing).toEqual([]);
  });

  it("excuses no function that is recorded", () => {
    expect(Object.keys(unrecorded).filter((name) => recordedNames.has(name))).toEqual([]);
  });
});

/** The names a case stands for: a module is both `layer.Linear` and `nn.Linear`. */
function namesIn({ f }: OracleCase): string[] {
  return f.startsWith("layer.") ? [f, f.replace("layer.", "nn.")] : [f];
}
