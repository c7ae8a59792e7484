/** The rows of the CPU's benchmark, computed by ONNX Runtime's native build. */
import type { CpuRowName } from "../../src/cpu-rows.ts";
import type { Library, Prepared } from "../../src/library.ts";
import { numbers } from "../../src/rows.ts";
import type { Attributes, OnnxGraph } from "./onnx-model.ts";
import { onnxRows, onnxRunner } from "./onnx-rows.ts";
import { runtime, versions } from "./onnxruntime-node.ts";

const running = onnxRunner(runtime);
const shared = onnxRows(runtime);
const noGradients = "ONNX Runtime computes no gradients";

type Shape = readonly number[];
const sizeOf = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);
const weights = (graph: OnnxGraph, shape: Shape, seed = 2): string =>
  graph.weight(numbers(sizeOf(shape), 1, seed), shape);

const product = (left: Shape, right: Shape) => (): Promise<Prepared> =>
  running(left, [...left.slice(0, -1), right.at(-1) ?? 1], (graph, x) =>
    graph.node("MatMul", [x, weights(graph, right)]),
  );

const square: Shape = [1024, 1024];
const large: Shape = [4096, 4096];

const general = (integers: Readonly<Record<string, number>>) => (): Promise<Prepared> =>
  running(square, square, (graph, x) => graph.node("Gemm", [x, weights(graph, square)], { integers }));

const convolution = (x: Shape, output: Shape, filters: Shape, integers: Attributes["integers"]) => () =>
  running(x, output, (graph, input) =>
    graph.node("Conv", [input, weights(graph, filters)], { integers: { kernel_shape: filters.slice(2), ...integers } }),
  );

const summed = (axis: number) => () =>
  running(large, [4096], (graph, x) =>
    graph.node("ReduceSum", [x, graph.integers([axis])], { integers: { keepdims: 0 } }),
  );

/** Written out, as exporters do; the runtime fuses what it can. */
const attention = (tokens: number) => () => {
  const shape = [1, 8, tokens, 64];
  return running(shape, shape, (graph, q) => {
    const mask = Float32Array.from({ length: tokens ** 2 }, (_, k) =>
      k % tokens > Math.floor(k / tokens) ? -1e30 : 0,
    );
    const scores = graph.node("MatMul", [q, weights(graph, [1, 8, 64, tokens])]);
    const masked = graph.node("Add", [
      graph.node("Mul", [scores, graph.scalar(1 / 8)]),
      graph.weight(mask, [tokens, tokens]),
    ]);
    return graph.node("MatMul", [graph.node("Softmax", [masked]), weights(graph, shape, 3)]);
  });
};

const normalized = (operation: string, parameters: number) => () =>
  running(large, large, (graph, x) => {
    const ones = graph.weight(new Float32Array(4096).fill(1), [4096]);
    const zeros = graph.weight(new Float32Array(4096), [4096]);
    return graph.node(operation, [x, ...[ones, zeros].slice(0, parameters)], { floats: { epsilon: 1e-5 } });
  });

/** onnxruntime-node on the CPU: native code. */
export const library: Library<CpuRowName> = {
  versions,
  rows: {
    "matmul-512": product([512, 512], [512, 512]),
    "matmul-1024": product(square, square),
    "matmul-2048": product([2048, 2048], [2048, 2048]),
    "matmul-1001": product([1001, 1001], [1001, 1001]),
    "matmul-skinny": product([32, 4096], large),
    "matmul-left-transposed": general({ transA: 1 }),
    "matmul-right-transposed": general({ transB: 1 }),
    "matmul-batched": product([16, 256, 256], [16, 256, 256]),
    "linear-gelu": () =>
      running(square, square, (graph, x) =>
        graph.node("Gelu", [
          graph.node("Add", [graph.node("MatMul", [x, weights(graph, square)]), weights(graph, [1024], 3)]),
        ]),
      ),
    conv: shared.conv,
    "conv-1x1": convolution([8, 64, 28, 28], [8, 256, 28, 28], [256, 64, 1, 1], {}),
    "conv-depthwise": convolution([8, 64, 56, 56], [8, 64, 56, 56], [64, 1, 3, 3], { pads: [1, 1, 1, 1], group: 64 }),
    "conv-stride": convolution([8, 64, 56, 56], [8, 128, 28, 28], [128, 64, 3, 3], {
      pads: [1, 1, 1, 1],
      strides: [2, 2],
    }),
    "conv-stem": convolution([2, 3, 224, 224], [2, 64, 112, 112], [64, 3, 7, 7], {
      pads: [3, 3, 3, 3],
      strides: [2, 2],
    }),
    copy: () => running(large, large, (graph, x) => graph.node("Add", [x, graph.scalar(1)])),
    softmax: shared.softmax,
    "layer-norm": normalized("LayerNormalization", 2),
    "rms-norm": normalized("SimplifiedLayerNormalization", 1),
    sum: shared.sum,
    "sum-rows": summed(1),
    "sum-columns": summed(0),
    chain: shared.chain,
    transcendental: shared.transcendental,
    "attention-512": attention(512),
    "attention-2048": attention(2048),
    "attention-512-gradient": noGradients,
    "attention-2048-gradient": noGradients,
    "mlp-step": noGradients,
    "gpt-gradient": noGradients,
    "gpt-step": noGradients,
    "matvec4-4096": "its 4-bit product is not measured",
    "matvec4-11008": "its 4-bit product is not measured",
  },
};
