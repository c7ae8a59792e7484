/** Public functions that have no recorded value, each with the reason. Every other one must have a case. */

const notMlx = "is ours, MLX has no such function";

/** Reasons by name. */
export const unrecorded: Readonly<Record<string, string>> = {
  MLXArray: "is recorded through the functions that make it",
  evaluate: notMlx,
  fromTypedArray: notMlx,
};
