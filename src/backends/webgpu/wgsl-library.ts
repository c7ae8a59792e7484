/** The functions that shaders may use, for one element and for vectors of four. */

import { keyFunctions } from "./wgsl-keys.ts";
import { basicFunctions } from "./wgsl-math-basic.ts";
import { exponentialFunctions } from "./wgsl-math-exponential.ts";
import { integerFunctions } from "./wgsl-math-integer.ts";
import { inverseFunctions } from "./wgsl-math-inverse.ts";
import { logarithmFunctions } from "./wgsl-math-logarithm.ts";
import { trigonometricFunctions } from "./wgsl-math-trigonometric.ts";
import { wideFunctions } from "./wgsl-math-wide.ts";
import type { Lanes } from "./wgsl-types.ts";

/**
 * Texts by name. In them `$F`, `$I`, `$U` and `$B` stand for f32, i32, u32 and bool, or for vectors of four of them, and
 * `name$` for the function of that name for as many lanes. A text without any of these serves one element; vectors then
 * call it lane by lane.
 */
const functions: ReadonlyMap<string, string> = new Map(
  [
    basicFunctions,
    keyFunctions,
    integerFunctions,
    exponentialFunctions,
    logarithmFunctions,
    trigonometricFunctions,
    inverseFunctions,
    wideFunctions,
  ].flatMap((table) => Object.entries(table)),
);

/** A function with what it calls. */
export interface LibraryFunction {
  readonly text: string;
  readonly needs: readonly { readonly name: string; readonly lanes: Lanes }[];
}

/**
 * The function `name` for so many lanes; null if there is none. Where the device packs halves as the library does, its own
 * instruction takes the place of the text.
 */
export function libraryFunction(name: string, lanes: Lanes, packsHalves: boolean): LibraryFunction | null {
  const template = (packsHalves ? functions.get(`packed_${name}`) : undefined) ?? functions.get(name);
  if (template === undefined) return null;
  const isGeneral = template.includes("$");
  if (lanes === 4 && !isGeneral) return { text: laneByLane(name, template), needs: [{ name, lanes: 1 }] };
  const needs = [...template.matchAll(/\b([a-z]\w*)(\$?)\(/g)]
    .map(([, called = "", suffix]) => ({ name: called, lanes: suffix === "$" ? lanes : (1 as const) }))
    .filter((called) => called.name !== name && functions.has(called.name));
  return { text: specialized(template, lanes), needs };
}

function specialized(template: string, lanes: Lanes): string {
  const types = lanes === 1 ? ["f32", "i32", "u32", "bool"] : ["vec4f", "vec4i", "vec4u", "vec4<bool>"];
  return template
    .replaceAll(/\$([FIUB])\b/g, (_, letter: string) => types["FIUB".indexOf(letter)] ?? "")
    .replaceAll("$", lanes === 1 ? "" : "4")
    .trim();
}

/** A function of vectors that calls the one of single elements four times. */
function laneByLane(name: string, template: string): string {
  const [, parameters = "", result = ""] = /fn \w+\(([^)]*)\) -> (\w+)/.exec(template) ?? [];
  const names = parameters.split(",").map((parameter) => parameter.split(":")[0]?.trim() ?? "");
  const vector = (type: string): string => `vec4${type[0]}`;
  const wide = parameters.replaceAll(/: (\w+)/g, (_, type: string) => `: ${vector(type)}`);
  const lanes = ["x", "y", "z", "w"].map((lane) => `${name}(${names.map((each) => `${each}.${lane}`).join(", ")})`);
  return `fn ${name}4(${wide}) -> ${vector(result)} {\n  return ${vector(result)}(${lanes.join(", ")});\n}`;
}
