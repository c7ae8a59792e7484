/** The rows, computed by ONNX Runtime's native build. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Library } from "../../src/library.ts";
import { type OnnxRuntime, onnxRows } from "./onnx-rows.ts";
import { versionOf } from "./version.ts";

const threads = Number(process.env.BENCH_THREADS ?? 1);

/** The versions of its packages. */
export const versions: Library["versions"] = { "onnxruntime-node": versionOf("onnxruntime-node") };

/** Sessions on the CPU with the threads that the benchmark asks for. */
export const runtime: OnnxRuntime = {
  Tensor,
  create: (model) =>
    InferenceSession.create(model, { executionProviders: ["cpu"], intraOpNumThreads: threads, logSeverityLevel: 3 }),
};

/** onnxruntime-node on the CPU: native code. */
export const library: Library = { versions, rows: onnxRows(runtime) };
