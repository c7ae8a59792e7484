/** Workgroups of a dispatch as one sequence, however many there are. */
import type { GpuTarget } from "./kernel-code.ts";
import type { Shader } from "./wgsl-shader.ts";

/** A sequence of workgroups laid out on the axes that a device has. */
export interface Grid {
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** The name of an i32 that holds the place of the workgroup in the sequence. */
  readonly place: string;
}

/** Lays `count` workgroups out and names the place of each; workgroups beyond the last one return at once. */
export function gridOf(shader: Shader, target: GpuTarget, count: number): Grid {
  const columns = Math.min(count, target.workgroupsPerAxis);
  const rows = Math.ceil(count / columns);
  if (rows === 1) return { workgroups: [columns, 1, 1], place: shader.let("place", "i32(workgroup.x)") };
  const place = shader.let("place", `i32(workgroup.y * ${columns}u + workgroup.x)`);
  if (rows * columns > count) shader.block(`if (${place} >= ${count})`, () => shader.line("return;"));
  return { workgroups: [columns, rows, 1], place };
}
