/** Elements as i32 keys that compare like them, NaN above all. */
import type { Dtype } from "../../base/dtype.ts";
import type { Shader } from "./wgsl-shader.ts";
import { registerOf } from "./wgsl-types.ts";

/** Above all keys but that of NaN and of the greatest integer. */
export const greatestKey = "0x7fffffff";

/** The text of the key of `x`, a value in the registers of `dtype`. Zeros of both signs are equal, or in order. */
export function keyText(shader: Shader, dtype: Dtype, x: string, zeros: "equal" | "ordered"): string {
  switch (registerOf(dtype)) {
    case "bool":
      return `select(0, 1, ${x})`;
    case "u32":
      return `bitcast<i32>(${x} ^ 0x80000000u)`;
    case "i32":
      return x;
    case "f32":
      return shader.call(zeros === "equal" ? "order_key" : "sort_key", 1, x);
  }
}

/** The text of the element whose ordered key is `key`, in the registers of `dtype`. */
export function elementText(shader: Shader, dtype: Dtype, key: string): string {
  switch (registerOf(dtype)) {
    case "bool":
      return `(${key} != 0)`;
    case "u32":
      return `(bitcast<u32>(${key}) ^ 0x80000000u)`;
    case "i32":
      return key;
    case "f32":
      return shader.call("of_sort_key", 1, key);
  }
}
