/** What all kernels of attention do with scores that a query does not see. */
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

/** The least finite score, which those that a query does not see get, as in the definition. */
export const lowestScore: string = floatLiteral(-3.4028234663852886e38);
/** What stands beyond the last key: less than any score. */
export const noScore: string = floatLiteral(Number.NEGATIVE_INFINITY);

/** The name of the position of a head's mask, or null without one. */
export function maskPosition(shader: Shader, { mask, leading }: Attention, head: string): string | null {
  if (!mask) return null;
  let rest = head;
  const parts: string[] = [];
  for (const [axis, length] of [...leading.entries()].reverse()) {
    const stride = mask.leading[axis] ?? 0;
    if (stride !== 0) parts.push(`(${rest} % ${length}) * ${stride}`);
    rest = shader.let("rest", `${rest} / ${length}`);
  }
  return shader.let("mask", parts.length === 0 ? "0" : parts.join(" + "));
}
