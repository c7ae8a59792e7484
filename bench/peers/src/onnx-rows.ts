/** The rows as ONNX models, for both builds of ONNX Runtime. */
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import type { Library, Prepared } from "../../src/library.ts";
import { gpt, manyCount, mlpBatch, mlpWidths, numbers } from "../../src/rows.ts";
import { OnnxGraph } from "./onnx-model.ts";

/** What the rows need of a build of ONNX Runtime. */
export interface OnnxRuntime {
  readonly Tensor: TensorConstructor;
  create(model: Uint8Array): Promise<InferenceSession>;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Sets up a model of `build` over one float32 input, which is run again and again. */
export type OnnxRunner = (
  shape: readonly number[],
  outputShape: readonly number[],
  build: (graph: OnnxGraph, x: string) => string,
  runs?: number,
) => Promise<Prepared>;

/** Models in a build of ONNX Runtime. */
export function onnxRunner(runtime: OnnxRuntime): OnnxRunner {
  return async (shape, outputShape, build, runs = 1) => {
    const graph = new OnnxGraph();
    const output = build(graph, graph.input("x", shape));
    const session = await runtime.create(graph.model(output, outputShape));
    const x: Tensor = new runtime.Tensor("float32", numbers(sizeOf(shape)), shape);
    return {
      operations: runs,
      async run() {
        for (let k = 0; k < runs; k++) await session.run({ x });
      },
    };
  };
}

/** The rows that inference can compute. */
export function onnxRows(runtime: OnnxRuntime): Library["rows"] {
  const running = onnxRunner(runtime);
  const pointwise = (build: (graph: OnnxGraph, x: string) => string): Promise<Prepared> =>
    running([manyCount], [manyCount], build);
  const product = (size: number): Promise<Prepared> =>
    running([size, size], [size, size], (graph, x) =>
      graph.node("MatMul", [x, graph.weight(numbers(size * size, 1, 2), [size, size])]),
    );
  return {
    "matmul-1024": () => product(1024),
    "matmul-1001": () => product(1001),
    chain: () =>
      pointwise((graph, x) => {
        let y = x;
        for (let k = 0; k < 5; k++) {
          y = graph.node("Add", [graph.node("Mul", [y, graph.scalar(1.01)]), graph.scalar(0.5)]);
        }
        return y;
      }),
    transcendental: () =>
      pointwise((graph, x) => {
        const widened = graph.node("Add", [graph.node("Exp", [graph.node("Tanh", [x])]), graph.scalar(1)]);
        return graph.node("Sqrt", [
          graph.node("Add", [graph.node("Sin", [graph.node("Log", [widened])]), graph.scalar(2)]),
        ]);
      }),
    softmax: () => running([4096, 4096], [4096, 4096], (graph, x) => graph.node("Softmax", [x])),
    sum: () => running([manyCount], [], (graph, x) => graph.node("ReduceSum", [x], { integers: { keepdims: 0 } })),
    conv: () =>
      running([8, 64, 56, 56], [8, 64, 56, 56], (graph, x) =>
        graph.node("Conv", [x, graph.weight(numbers(64 * 64 * 9, 0.1, 2), [64, 64, 3, 3])], {
          integers: { pads: [1, 1, 1, 1], kernel_shape: [3, 3] },
        }),
      ),
    mlp: () => running([mlpBatch, 784], [mlpBatch, 10], mlp),
    "mlp-step": "ONNX Runtime computes no gradients",
    gpt: () => running([gpt.tokens, gpt.width], [gpt.tokens, gpt.vocabulary], gptLogits),
    "gpt-gradient": "ONNX Runtime computes no gradients",
    eager: "ONNX Runtime runs models only",
    "compiled-call": () =>
      running(
        [256],
        [256],
        (graph, x) => {
          const factor = graph.scalar(0.9);
          const addend = graph.weight(numbers(256, 1, 2), [256]);
          let y = x;
          for (let k = 0; k < 50; k++) y = graph.node("Add", [graph.node("Mul", [y, factor]), addend]);
          return y;
        },
        10,
      ),
  };
}

function linear(graph: OnnxGraph, x: string, inputs: number, outputs: number, seed: number): string {
  const weight = graph.weight(numbers(inputs * outputs, 2 * inputs ** -0.5, seed), [inputs, outputs]);
  return graph.node("Add", [graph.node("MatMul", [x, weight]), graph.weight(new Float32Array(outputs), [outputs])]);
}

function mlp(graph: OnnxGraph, x: string): string {
  let y = x;
  mlpWidths.slice(1).forEach((width, k) => {
    const inputs = mlpWidths[k] ?? width;
    const weight = graph.weight(numbers(inputs * width, 2 * inputs ** -0.5, k + 1), [inputs, width]);
    const bias = graph.weight(new Float32Array(width), [width]);
    y = graph.node("Gemm", [k === 0 ? y : graph.node("Relu", [y]), weight, bias]);
  });
  return y;
}

function normalize(graph: OnnxGraph, x: string): string {
  const weight = graph.weight(new Float32Array(gpt.width).fill(1), [gpt.width]);
  const bias = graph.weight(new Float32Array(gpt.width), [gpt.width]);
  return graph.node("LayerNormalization", [x, weight, bias], { floats: { epsilon: 1e-5 } });
}

function gptLogits(graph: OnnxGraph, x: string): string {
  const headWidth = gpt.width / gpt.heads;
  const headShape = graph.integers([gpt.tokens, gpt.heads, headWidth]);
  const joinedShape = graph.integers([gpt.tokens, gpt.width]);
  const scale = graph.scalar(headWidth ** -0.5);
  const maskValues = new Float32Array(gpt.tokens ** 2);
  for (let k = 0; k < maskValues.length; k++) maskValues[k] = k % gpt.tokens > Math.floor(k / gpt.tokens) ? -1e30 : 0;
  const mask = graph.weight(maskValues, [gpt.tokens, gpt.tokens]);
  const heads = (part: string, order: readonly number[]): string =>
    graph.node("Transpose", [graph.node("Reshape", [part, headShape])], { integers: { perm: order } });
  let y = x;
  for (let k = 0; k < gpt.layers; k++) {
    const joined = linear(graph, normalize(graph, y), gpt.width, 3 * gpt.width, 10 * k + 1);
    const [q = "", keys = "", v = ""] = graph.nodes("Split", [joined], 3, { integers: { axis: -1, num_outputs: 3 } });
    const scores = graph.node("MatMul", [heads(q, [1, 0, 2]), heads(keys, [1, 2, 0])]); // [heads, tokens, tokens]
    const masked = graph.node("Add", [graph.node("Mul", [scores, scale]), mask]);
    const attended = graph.node("MatMul", [graph.node("Softmax", [masked]), heads(v, [1, 0, 2])]);
    const rowsFirst = graph.node("Transpose", [attended], { integers: { perm: [1, 0, 2] } });
    const merged = graph.node("Reshape", [rowsFirst, joinedShape]);
    y = graph.node("Add", [y, linear(graph, merged, gpt.width, gpt.width, 10 * k + 2)]);
    const widened = linear(graph, normalize(graph, y), gpt.width, 4 * gpt.width, 10 * k + 3);
    const activated = graph.node("Gelu", [widened], { texts: { approximate: "tanh" } });
    y = graph.node("Add", [y, linear(graph, activated, 4 * gpt.width, gpt.width, 10 * k + 4)]);
  }
  const head = graph.weight(numbers(gpt.width * gpt.vocabulary, 0.1, 99), [gpt.width, gpt.vocabulary]);
  return graph.node("MatMul", [normalize(graph, y), head]);
}
