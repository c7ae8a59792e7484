/** Kernels as errors name them: by their operations, and by what they work on. */
import type { Kernel, Loop } from "../../ir/kernel.ts";

/** Operations, lengths and buffers: `matmul add (64 × 16 × 32: float32[2048], float32[512] → float32[1024])`. */
export function kernelName(kernel: Kernel): string {
  if (kernel.kind === "routine" || kernel.kind === "composite") {
    const { inputs, output } = kernel.call;
    const [given, made] = [inputs, [output]].map((tensors) =>
      tensors.map(({ dtype, shape }) => `${dtype} [${shape.join(", ")}]`),
    );
    return named(kernel.label, "", given, made);
  }
  const lengths =
    kernel.kind === "loop"
      ? lengthsOf(kernel.root)
      : [...kernel.batch, kernel.m, kernel.n, kernel.k].map(({ length }) => length).join(" × ");
  return buffersName(kernel, lengths === "" ? "" : `${lengths}: `);
}

/** Operations and buffers of a kernel whose lengths are not known. */
export function buffersName({ label, slots }: Pick<Kernel, "label" | "slots">, lengths = ""): string {
  const [given, made] = [false, true].map((isMade) =>
    slots.filter(({ isOutput }) => isOutput === isMade).map(({ dtype, size }) => `${dtype}[${size}]`),
  );
  return named(label, lengths, given, made);
}

function named(label: string, lengths: string, given: readonly string[] = [], made: readonly string[] = []): string {
  const from = given.length > 0 ? `${given.join(", ")} ` : "";
  return `${label} (${lengths}${from}→ ${made.join(", ")})`;
}

/** The lengths of the axes, outermost first; loops that follow one another are added. */
function lengthsOf({ axes, children }: Loop): string {
  const inner = children.map(lengthsOf).filter((text) => text !== "");
  const within = inner.length > 1 && axes.length > 0 ? [`(${inner.join(" + ")})`] : [inner.join(" + ")];
  return [...axes.map(({ length }) => `${length}`), ...within].filter((text) => text !== "").join(" × ");
}
