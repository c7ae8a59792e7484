/** What a device can do beyond what the standard promises of it, found by small kernels when it is opened. */
import { DeviceError } from "../../base/errors.ts";
import type { GpuDevice } from "./gpu-api.ts";
import { bufferUsage, computeStage, mapForReading } from "./gpu-api.ts";

/** Workgroups that are tried: of one subgroup and of many, with and without a part of one; as large as those of kernels. */
const triedThreads = [24, 64, 256, 512];

/**
 * Whether in every workgroup the thread with number t exchanges values with the one that has number t ⊕ d, for all powers of
 * two d below `subgroupSize`, the least that the device promises: WGSL leaves it open which threads a subgroup has.
 */
export async function areNeighboursTogether(device: GpuDevice, subgroupSize: number): Promise<boolean> {
  const { maxComputeInvocationsPerWorkgroup: most = 256, maxComputeWorkgroupSizeX: longest = 256 } = device.limits;
  const sizes = triedThreads.filter((threads) => threads <= Math.min(most, longest));
  const distances = Array.from({ length: Math.log2(subgroupSize) }, (_, k) => 2 ** k);
  const expected = sizes.map((threads) => sumOf(distances, (distance) => pairsAt(distance, threads)));
  const steps = distances.map((distance) => {
    const partner = `(thread ^ ${distance}u)`;
    return `  count += u32(subgroupShuffleXor(thread, ${distance}u) == ${partner} && ${partner} < threads);`;
  });
  const code = [
    "enable subgroups;",
    "override threads: u32;",
    "@group(0) @binding(0) var<storage, read_write> total: atomic<u32>;",
    "@compute @workgroup_size(threads) fn main(@builtin(local_invocation_index) thread: u32) {",
    "  var count = 0u;",
    ...steps,
    "  atomicAdd(&total, count);",
    "}",
    "",
  ].join("\n");
  const variants = sizes.map((threads) => ({ threads }));
  return (await totalOf(device, code, variants, null)) === sumOf(expected, (count) => count);
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

/** Whether shaders get immediates: the last of eight words that are given from the middle of an array on. */
export async function takesImmediates(device: GpuDevice): Promise<boolean> {
  const code = [
    "struct Constants { four0: vec4u, four1: vec4u }",
    "var<immediate> constants: Constants;",
    "@group(0) @binding(0) var<storage, read_write> total: atomic<u32>;",
    "@compute @workgroup_size(1) fn main() {",
    "  atomicAdd(&total, constants.four1.w);",
    "}",
    "",
  ].join("\n");
  const words = Uint32Array.from({ length: 16 }, (_, k) => k + 1);
  return (await totalOf(device, code, [{}], { words, first: 4, count: 8 })) === 12;
}

/** Halves that are tried, every so many of them, by so many threads. */
const [infiniteHalf, triedStep, tryingThreads] = [0x7c00, 1031, 256];

/**
 * Whether `pack2x16float` rounds as numbers are stored: to the nearest half, ties to even, subnormal ones included; too large
 * ones to infinity, and what is no number stays none. WGSL leaves that open. Each thread tries some halves: the number itself,
 * the middle between it and the next, and the neighbours of that.
 */
export async function packsHalvesExactly(device: GpuDevice): Promise<boolean> {
  const code = `
@group(0) @binding(0) var<storage, read_write> total: atomic<u32>;
fn value(half: u32) -> f32 {
  if (half < 0x400u) { return f32(half) * 0x1p-24f; }
  return bitcast<f32>((half << 13u) + 0x38000000u);
}
fn is_packed(x: f32, half: u32) -> bool {
  return pack2x16float(vec2f(x, -x)) == (half | ((half | 0x8000u) << 16u));
}
@compute @workgroup_size(${tryingThreads}) fn main(@builtin(local_invocation_index) thread: u32) {
  var count = 0u;
  for (var half = thread; half < ${infiniteHalf - 1}u; half += ${triedStep}u) {
    let middle = (value(half) + value(half + 1u)) * 0.5f;
    let bits = bitcast<u32>(middle);
    count += u32(is_packed(value(half), half) && is_packed(middle, half + (half & 1u))
      && is_packed(bitcast<f32>(bits - 1u), half) && is_packed(bitcast<f32>(bits + 1u), half + 1u));
  }
  let zero = bitcast<f32>(thread & 0x40000000u);
  let largest = pack2x16float(vec2f(65519.996f + zero, 65520f + zero));
  let beyond = pack2x16float(vec2f(-1e30f + zero, bitcast<f32>(0x7f800000u | thread)));
  let none = pack2x16float(vec2f(bitcast<f32>(0x7fc00000u | thread), bitcast<f32>(0xff800001u | thread))) & 0x7fff7fffu;
  count += u32(largest == 0x7c007bffu && (thread > 0u || beyond == 0x7c00fc00u));
  count += u32((none & 0xffffu) > ${infiniteHalf}u && (none >> 16u) > ${infiniteHalf}u);
  atomicAdd(&total, count);
}
`;
  const threads = Array.from({ length: tryingThreads }, (_, thread) => thread);
  const expected = sumOf(threads, (thread) => Math.ceil((infiniteHalf - 1 - thread) / triedStep) + 2);
  return (await totalOf(device, code, [{}], null)) === expected;
}

/** Whether conversions of integers of 32 bits give the nearest float32, ties to even: WGSL lets them give either neighbour. */
export async function roundsIntegersExactly(device: GpuDevice): Promise<boolean> {
  const code = `
@group(0) @binding(0) var<storage, read_write> total: atomic<u32>;
@compute @workgroup_size(${tryingThreads}) fn main(@builtin(local_invocation_index) thread: u32) {
  var count = 0u;
  for (var k = 0u; k < 32u; k++) {
    let x = (((thread * 0x1010101u + 0x1000193u) << (k / 2u)) >> (k / 2u)) ^ (0u - (k & 1u));
    let i = bitcast<i32>(x);
    count += u32(f32(x) == f32(x >> 16u) * 65536f + f32(x & 0xffffu));
    count += u32(f32(i) == f32(i >> 16u) * 65536f + f32(i & 0xffff));
  }
  atomicAdd(&total, count);
}
`;
  return (await totalOf(device, code, [{}], null)) === tryingThreads * 64;
}

/** Words of an array that a trial is given as immediates. */
interface Immediates {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly first: number;
  readonly count: number;
}

/**
 * What `main` of a shader, as one workgroup for each set of pipeline constants, adds up in its buffer; null where the device
 * refuses it.
 */
async function totalOf(
  device: GpuDevice,
  code: string,
  variants: readonly Readonly<Record<string, number>>[],
  immediates: Immediates | null,
): Promise<number | null> {
  const total = device.createBuffer({ size: 4, usage: bufferUsage.storage | bufferUsage.copySource });
  const seen = device.createBuffer({ size: 4, usage: bufferUsage.mapRead | bufferUsage.copyTarget });
  try {
    const layout = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility: computeStage, buffer: { type: "storage" } }],
    });
    const pipelines = await withoutErrors(device, () => {
      const module = device.createShaderModule({ code, label: "trial" });
      const pipelineLayout = device.createPipelineLayout({
        bindGroupLayouts: [layout],
        ...(immediates ? { immediateSize: immediates.count * 4 } : {}),
      });
      return Promise.all(
        variants.map((constants) =>
          device.createComputePipelineAsync({
            layout: pipelineLayout,
            compute: { module, entryPoint: "main", constants },
            label: "trial",
          }),
        ),
      );
    });
    await withoutErrors(device, async () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: total } }] }));
      for (const pipeline of pipelines) {
        pass.setPipeline(pipeline);
        if (immediates) pass.setImmediates?.(0, immediates.words, immediates.first, immediates.count);
        pass.dispatchWorkgroups(1);
      }
      pass.end();
      encoder.copyBufferToBuffer(total, 0, seen, 0, 4);
      device.queue.submit([encoder.finish()]);
    });
    await seen.mapAsync(mapForReading);
    return new Uint32Array(seen.getMappedRange())[0] ?? 0;
  } catch {
    return null;
  } finally {
    total.destroy();
    seen.destroy();
  }
}

/** What `work` gives. @throws {DeviceError} if the device refuses what it does before it first waits */
async function withoutErrors<T>(device: GpuDevice, work: () => Promise<T>): Promise<T> {
  device.pushErrorScope("validation");
  const done = work();
  const [error, result] = await Promise.all([device.popErrorScope(), done]);
  if (error) throw new DeviceError("gpu", error.message);
  return result;
}
