/** Arrays as text, the way MLX prints them. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { readElement, scalarText } from "../base/elements.ts";
import { formatShape, rowMajorStrides } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { visibleBytes } from "../ir/allocation.ts";
import { currentElements } from "./reading.ts";

/** Elements shown at each end of a long axis. */
const edge = 3;
/** Axes up to this length are shown whole. */
const longest = 6;

/** `array([1, 2, 3], dtype=float32)`, long axes shortened; an array without values says so. */
export function format(x: MLXArray): string {
  const because = whyUnseen(x);
  return because
    ? `array(${x.dtype} ${formatShape(x.shape)}, ${because})`
    : `array(${formatElements(x)}, dtype=${x.dtype})`;
}

/** Why the elements of `x` cannot be shown now; null if they can. */
export function whyUnseen(x: MLXArray): string | null {
  if (x.isDisposed) return "disposed";
  if (!x.isEvaluated) return "not yet computed";
  return x.allocation && !visibleBytes(x.allocation) ? "on the GPU" : null;
}

/** The elements of `x`, which can be seen, long axes shortened: `[1, 2, 3]`. */
export function formatElements(x: MLXArray): string {
  const elements = currentElements(x);
  const strides = rowMajorStrides(x.shape);
  const part = (axis: number, offset: number, indent: number): string => {
    if (axis === x.shape.length) return formatScalar(readElement(elements, offset, x.dtype), x.dtype);
    const length = x.shape[axis] ?? 0;
    const isLast = axis === x.shape.length - 1;
    const separator = isLast ? ", " : `,\n${" ".repeat(indent + 1)}`;
    const shown: string[] = [];
    for (let k = 0; k < length; k++) {
      if (length > longest && k === edge) {
        shown.push("...");
        k = length - edge;
      }
      shown.push(part(axis + 1, offset + k * (strides[axis] ?? 1), indent + 1));
    }
    return `[${shown.join(separator)}]`;
  };
  return part(0, 0, "array(".length);
}

function formatScalar(value: Scalar, dtype: Dtype): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint" || !isFloating(dtype)) return String(value);
  return formatFloat(value);
}

/** Six significant digits, as C++ streams print by default. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return scalarText(value);
  const scientific = toSixDigits(value);
  const [mantissa = "", power = ""] = scientific.split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6)
    return `${withoutZeros(mantissa)}e${power.charAt(0)}${power.slice(1).padStart(2, "0")}`;
  return withoutZeros(Number(scientific).toFixed(5 - exponent));
}

function withoutZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}

/** `value` with six digits in scientific notation, ties to the even digit as C++ rounds them (JavaScript rounds them up). */
function toSixDigits(value: number): string {
  const rounded = value.toExponential(5);
  const [digits = "", exponent = ""] = value.toExponential(60).split("e");
  const rest = digits.slice(digits.indexOf(".") + 6);
  const isTie = rest.startsWith("5") && /^50*$/.test(rest);
  if (!isTie || Number(digits.at(digits.indexOf(".") + 5)) % 2 === 1) return rounded;
  return `${digits.slice(0, digits.indexOf(".") + 6)}e${exponent}`;
}
