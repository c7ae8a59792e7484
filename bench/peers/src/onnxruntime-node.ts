/** The rows, computed by ONNX Runtime's native build. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Library } from "../../src/library.ts";
import { onnxRows } from "./onnx-rows.ts";
import { versionOf } from "./version.ts";

const threads = Number(process.env.BENCH_THREADS ?? 1);

/** onnxruntime-node on the CPU: native code. */
export const library: Library = {
  versions: { "onnxruntime-node": versionOf("onnxruntime-node") },
  rows: onnxRows({
    Tensor,
    create: (model) =>
      InferenceSession.create(model, { executionProviders: ["cpu"], intraOpNumThreads: threads, logSeverityLevel: 3 }),
  }),
};
