/** The statistics of queries: the greatest score, or a smaller one, and the sum of exponentials relative to it. */
import type { ShaderMemory } from "./wgsl-memory.ts";
import type { Shader } from "./wgsl-shader.ts";

/** Writes the statistics of the query whose number among all is `row`; all are texts. */
export function storeStatistics(
  shader: Shader,
  memory: ShaderMemory,
  slot: number,
  row: string,
  statistics: readonly [greatest: string, total: string],
): void {
  for (const [place, value] of statistics.entries()) shader.line(memory.store(slot, `(${row}) * 2 + ${place}`, value));
}
