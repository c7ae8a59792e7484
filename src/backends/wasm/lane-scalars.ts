/** Scalar instructions on the lanes of registers, one after the other: for what has no vector form. */
import "./other-opcodes.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { LaneOpName, OpName } from "./opcodes.ts";

/** The scalar types of lanes. */
export type LaneType = "f32" | "f64" | "i32" | "i64";

const shapeNames = { f32: "f32x4", f64: "f64x2", i32: "i32x4", i64: "i64x2" } as const;

/** For each lane pushes the lanes of `args` (each followed by `convert`), runs `body`, and collects what that leaves. */
export function byLane(
  f: FunctionBuilder,
  type: LaneType,
  args: readonly number[],
  result: LaneType,
  body: () => void,
  convert?: OpName,
): number {
  const count = type === "i64" || type === "f64" ? 2 : 4;
  const scalar = f.local(result);
  const target = f.local("v128");
  const extract: LaneOpName = `${shapeNames[type]}.extract_lane`;
  const replace: LaneOpName = `${shapeNames[result]}.replace_lane`;
  const lanes = new Array<number>(count).fill(0).map(() => f.local(result));
  for (let lane = 0; lane < count; lane++) {
    for (const arg of args) {
      f.get(arg).lane(extract, lane);
      if (convert) f.op(convert);
    }
    body();
    f.set(lanes[lane] ?? scalar);
  }
  f.get(lanes[0] ?? scalar).op(`${shapeNames[result]}.splat`);
  for (let lane = 1; lane < count; lane++) f.get(lanes[lane] ?? scalar).lane(replace, lane);
  f.set(target);
  for (const lane of lanes) f.release(lane);
  f.release(scalar);
  return target;
}
