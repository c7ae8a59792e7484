/** Writes a recorded call as a person would, for the message of a failure. */
import { isDictionary, isEncodedArray, isList, isReference, isSpelled } from "./decode.ts";
import type { Encoded, OracleCase } from "./recorded-shards.ts";

/** `sum(float32[2,3]#4 T, 1, {keepAxes: true})`. */
export function describeCase(recorded: OracleCase): string {
  const parts = recorded.args.map(describe);
  if (recorded.options) parts.push(describeEach(recorded.options));
  if (recorded.inputs) parts.push(`inputs ${recorded.inputs.map(describe).join(", ")}`);
  const call = `${recorded.f}(${parts.join(", ")})`;
  if (recorded.vjp) return `vjp with respect to ${recorded.vjp.wrt.join(", ")} of ${call}`;
  if (recorded.jvp) return `jvp of ${call}`;
  if (recorded.vmap) return `vmap over ${JSON.stringify(recorded.vmap.inAxes)} to ${recorded.vmap.outAxes} of ${call}`;
  if (recorded.valueAndGrad) return `valueAndGrad of ${call}`;
  return call;
}

/** The kind of call: the function, and the transform of it. */
export function groupOf(recorded: OracleCase): string {
  if (recorded.vjp) return `the gradient of ${recorded.f}`;
  if (recorded.jvp) return `the tangent of ${recorded.f}`;
  if (recorded.vmap) return `vmap of ${recorded.f}`;
  return recorded.f;
}

function describe(value: Encoded): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(describe).join(", ")}]`;
  if (isReference(value)) return [value.$, ...(value.t ?? [])].join(" ");
  if (isSpelled(value)) return value.n;
  if (isDictionary(value)) return describeEach(value.dict);
  return isEncodedArray(value) ? `${value.d}[${value.s}]` : "?";
}

function describeEach(values: { readonly [name: string]: Encoded }): string {
  return `{${Object.entries(values)
    .map(([name, value]) => `${name}: ${describe(value)}`)
    .join(", ")}}`;
}
