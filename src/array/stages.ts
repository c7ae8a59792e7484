/** Cuts a graph whose operations are placed on several devices into parts that each run on one, and computes them. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Device } from "../graph/placement.ts";
import { topologicalOrder } from "../graph/primitive.ts";
import { commonCall } from "./common-call.ts";
import { currentRuntime } from "./device.ts";
import { gpuRuntime } from "./gpu.ts";

/** Arrays to compute on one device, once the stages before are computed. */
interface Stage {
  readonly device: Device;
  readonly roots: readonly MLXArray[];
}

/** The stages that compute `roots`. Values that another device needs end a stage; all others fuse as if it were alone. */
function stagesOf(roots: readonly MLXArray[]): Stage[] {
  const call = commonCall(roots);
  if (call) return [{ device: call.device, roots }];
  const depths = new Map<MLXArray, number>();
  const cuts = new Set<MLXArray>();
  let deepest = 0;
  for (const vertex of topologicalOrder(roots, (array) => array.isEvaluated)) {
    if (vertex.isEvaluated) continue;
    let depth = 0;
    for (const input of vertex.inputs) {
      const before = depths.get(input);
      if (before === undefined) continue;
      const isElsewhere = input.device !== vertex.device;
      if (isElsewhere) cuts.add(input);
      depth = Math.max(depth, isElsewhere ? before + 1 : before);
    }
    depths.set(vertex, depth);
    deepest = Math.max(deepest, depth);
  }
  // What no other device waits for runs with the last stage of its device: fewer, larger parts.
  const last = new Map<Device, number>();
  for (const [vertex, depth] of depths) last.set(vertex.device, Math.max(last.get(vertex.device) ?? 0, depth));
  const parts = new Map<string, { readonly device: Device; readonly depth: number; readonly roots: MLXArray[] }>();
  const put = (vertex: MLXArray, depth: number): void => {
    const key = `${depth}${vertex.device}`;
    const part = parts.get(key);
    if (part) part.roots.push(vertex);
    else parts.set(key, { device: vertex.device, depth, roots: [vertex] });
  };
  for (const cut of cuts) put(cut, depths.get(cut) ?? 0);
  for (const root of roots) if (!cuts.has(root)) put(root, last.get(root.device) ?? deepest);
  return [...parts.values()].sort((a, b) => a.depth - b.depth);
}

/** Computes `roots`, none of which is evaluated, each operation on its device. */
export async function computeInStages(roots: readonly MLXArray[]): Promise<void> {
  for (const { device, roots: part } of stagesOf(roots)) {
    const runtime = device === "gpu" ? await gpuRuntime() : currentRuntime();
    // While other stages ran, somebody else may have computed or disposed some of these.
    const pending = part.filter((root) => !root.isEvaluated && !root.isDisposed);
    if (pending.length > 0) await runtime.evaluate(pending);
  }
}
