/** The rows, computed by ONNX Runtime's WebAssembly build. */
import { env, InferenceSession, Tensor } from "onnxruntime-web";
import type { Library } from "../../src/library.ts";
import { onnxRows } from "./onnx-rows.ts";
import { versionOf } from "./version.ts";

env.wasm.numThreads = Number(process.env.BENCH_THREADS ?? 1);

/** onnxruntime-web on the CPU. */
export const library: Library = {
  versions: { "onnxruntime-web": versionOf("onnxruntime-web") },
  rows: onnxRows({
    Tensor,
    create: (model) => InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 3 }),
  }),
};
