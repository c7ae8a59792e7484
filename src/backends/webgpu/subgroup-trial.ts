/** Whether neighbouring threads of a workgroup lie side by side in a subgroup: WGSL does not promise it, so it is tried. */
import type { GpuDevice } from "./gpu-api.ts";
import { bufferUsage, computeStage, mapForReading } from "./gpu-api.ts";

/** Workgroups that are tried: of one subgroup and of many, with and without a part of one; as large as those of kernels. */
const triedThreads = [24, 64, 256, 512];

/**
 * Whether in every workgroup the thread with number t exchanges values with the one that has number t ⊕ d, for all powers of
 * two d below `subgroupSize`, the least that the device promises. A device that does not compile or run this has no subgroups
 * that kernels could use either.
 */
export async function areNeighboursTogether(device: GpuDevice, subgroupSize: number): Promise<boolean> {
  const { maxComputeInvocationsPerWorkgroup: most = 256, maxComputeWorkgroupSizeX: longest = 256 } = device.limits;
  const sizes = triedThreads.filter((threads) => threads <= Math.min(most, longest));
  const distances = Array.from({ length: Math.log2(subgroupSize) }, (_, k) => 2 ** k);
  const expected = sizes.map((threads) => sumOf(distances, (distance) => pairsAt(distance, threads)));
  try {
    const found = await countPairs(device, sizes, distances);
    return found === sumOf(expected, (count) => count);
  } catch {
    return false;
  }
}

/** Threads of a workgroup that have a partner at this distance. */
function pairsAt(distance: number, threads: number): number {
  return sumOf(
    Array.from({ length: threads }, (_, thread) => thread ^ distance),
    (partner) => (partner < threads ? 1 : 0),
  );
}

function sumOf(values: readonly number[], count: (value: number) => number): number {
  return values.reduce((sum, value) => sum + count(value), 0);
}

/** How many threads of workgroups of these sizes get their partner's number at each distance. */
async function countPairs(device: GpuDevice, sizes: readonly number[], distances: readonly number[]): Promise<number> {
  const module = device.createShaderModule({ code: trialText(distances), label: "subgroup trial" });
  const layout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: computeStage, buffer: { type: "storage" } }],
  });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const pipelines = await Promise.all(
    sizes.map((threads) =>
      device.createComputePipelineAsync({
        layout: pipelineLayout,
        compute: { module, entryPoint: "main", constants: { threads } },
      }),
    ),
  );
  const counter = device.createBuffer({ size: 4, usage: bufferUsage.storage | bufferUsage.copySource });
  const seen = device.createBuffer({ size: 4, usage: bufferUsage.mapRead | bufferUsage.copyTarget });
  try {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const group = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: counter } }] });
    for (const pipeline of pipelines) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(1);
    }
    pass.end();
    encoder.copyBufferToBuffer(counter, 0, seen, 0, 4);
    device.queue.submit([encoder.finish()]);
    await seen.mapAsync(mapForReading);
    return new Uint32Array(seen.getMappedRange())[0] ?? 0;
  } finally {
    counter.destroy();
    seen.destroy();
  }
}

function trialText(distances: readonly number[]): string {
  const steps = distances.map((distance) => {
    const partner = `(thread ^ ${distance}u)`;
    return `  count += u32(subgroupShuffleXor(thread, ${distance}u) == ${partner} && ${partner} < threads);`;
  });
  return [
    "enable subgroups;",
    "override threads: u32;",
    "@group(0) @binding(0) var<storage, read_write> agreed: atomic<u32>;",
    "@compute @workgroup_size(threads) fn main(@builtin(local_invocation_index) thread: u32) {",
    "  var count = 0u;",
    ...steps,
    "  atomicAdd(&agreed, count);",
    "}",
    "",
  ].join("\n");
}
