/** Public functions that have no recorded value, each with the reason. Every other one must have a case. */

const notMlx = "is ours, MLX has no such function";
const anotherTest = "returns no array; MLX's gives a Python object";
const throughOthers = "is recorded through the functions it is applied to";
const errorClass = "is an error, which MLX throws as ValueError";

/** Reasons by name. */
export const unrecorded: Readonly<Record<string, string>> = {
  MLXArray: throughOthers,
  ArrayAt: throughOthers,
  compile: throughOthers,
  checkpoint: throughOthers,
  customFunction: throughOthers,
  evaluate: throughOthers,
  grad: throughOthers,
  jvp: throughOthers,
  vjp: throughOthers,
  vmap: throughOthers,
  valueAndGrad: throughOthers,
  valueAndGradient: throughOthers,
  get: "is `at` without the updates",
  slice: "makes an index; `at` is recorded",
  explain: notMlx,
  toDot: notMlx,
  expr: notMlx,
  tidy: notMlx,
  fromTypedArray: notMlx,
  pickAxes: notMlx,
  slidingWindows: notMlx,
  einsumPath: anotherTest,
  treeFlatten: anotherTest,
  treeMap: anotherTest,
  treeMapWithPath: anotherTest,
  treeMerge: anotherTest,
  treeReduce: anotherTest,
  treeUnflatten: anotherTest,
  MLXError: errorClass,
  ArgumentError: errorClass,
  DeviceError: errorClass,
  DisposedError: errorClass,
  DtypeError: errorClass,
  FormatError: errorClass,
  GradientError: errorClass,
  OutOfMemoryError: errorClass,
  ShapeError: errorClass,
  "nn.Module": "has no forward of its own",
  "nn.Sequential": "is recorded through the layers it holds",
  "nn.valueAndGrad": throughOthers,
  "random.RandomState": notMlx,
  "random.seed": "is recorded through the numbers drawn after it",
  "optim.Optimizer": "has no update of its own",
};
