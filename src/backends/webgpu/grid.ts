/** Workgroups of a dispatch as one sequence, however many there are. */
import type { GpuTarget } from "./kernel-code.ts";
import type { Shader } from "./wgsl-shader.ts";

/** A sequence of workgroups laid out on the axes that a device has. */
export interface Grid {
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** The name of an i32 that holds the place of the workgroup in the sequence. */
  readonly place: string;
}

/** Lays `count` workgroups out and calls the place of each `name`; workgroups beyond the last one return at once. */
export function gridOf(shader: Shader, target: GpuTarget, count: number, name = "place"): Grid {
  const rows = Math.max(1, Math.ceil(count / target.workgroupsPerAxis));
  const columns = Math.max(1, Math.ceil(count / rows));
  const place = shader.let(name, rows === 1 ? "i32(workgroup.x)" : `i32(workgroup.y * ${columns}u + workgroup.x)`);
  if (rows * columns > count) shader.block(`if (${place} >= ${count})`, () => shader.line("return;"));
  return { workgroups: [columns, rows, 1], place };
}
