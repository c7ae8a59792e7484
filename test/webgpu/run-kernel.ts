/** Runs generated code on the test device, so that it can be compared with the interpreter. */

import type { GpuBuffer, GpuDevice } from "../../src/backends/webgpu/gpu-api.ts";
import { bufferUsage, mapForReading } from "../../src/backends/webgpu/gpu-api.ts";
import type { GpuBinding, GpuDispatch, GpuKernelCode } from "../../src/backends/webgpu/kernel-code.ts";
import { argumentBits } from "../../src/backends/webgpu/wgsl-types.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import type { ScalarValue } from "../../src/ir/expr.ts";
import type { Kernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";

/** Pipelines by their text, so that equal kernels are compiled once. */
const pipelines = new Map<string, Promise<Pipeline>>();

interface Pipeline {
  readonly pipeline: object;
  readonly layout: object;
}

/** Runs `code`, which stands for `kernel`, on copies of `buffers`; outputs are written back to them. */
export async function runKernel(
  code: GpuKernelCode,
  kernel: Kernel,
  buffers: readonly TypedArray[],
  constants: readonly ScalarValue[] = [],
): Promise<void> {
  const { device } = await testDevice();
  const usage = bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyTarget;
  const made: GpuBuffer[] = [];
  const create = (size: number, use: number): GpuBuffer => {
    const buffer = device.createBuffer({ size: padded(size), usage: use });
    made.push(buffer);
    return buffer;
  };
  const slots = buffers.map((elements) => {
    const buffer = create(elements.byteLength, usage);
    // Padding is arbitrary, and so is what an output held before.
    const bytes = new Uint8Array(buffer.size).fill(0xa5);
    bytes.set(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
    device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  });
  const scratch = code.scratchBytes.map((bytes) => create(bytes, usage));
  const words = new Uint32Array(Math.max(4, Math.ceil(constants.length / 4) * 4));
  constants.forEach((value, k) => {
    words[k] = argumentBits(kernel.arguments[k] ?? "float32", value);
  });
  const uniforms = create(words.byteLength, bufferUsage.uniform | bufferUsage.copyTarget);
  device.queue.writeBuffer(uniforms, 0, words);
  const resource = (
    binding: GpuBinding,
  ): { readonly buffer: GpuBuffer; readonly offset?: number; readonly size?: number } => {
    if (binding.kind === "arguments") return { buffer: uniforms };
    if (binding.kind === "immediates") throw new Error("immediates are no resource");
    const buffer = binding.kind === "slot" ? slots[binding.slot] : scratch[binding.scratch];
    if (!buffer) throw new Error("a dispatch binds a buffer that the kernel lacks");
    if (binding.byteLength === undefined) return { buffer };
    return { buffer, offset: binding.offset ?? 0, size: binding.byteLength };
  };
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const dispatch of code.dispatches) {
    const { pipeline, layout } = await pipelineOf(device, dispatch);
    pass.setPipeline(pipeline);
    const bound = dispatch.bindings.filter(({ kind }) => kind !== "immediates");
    const entries = bound.map((binding, k) => ({ binding: k, resource: resource(binding) }));
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    if (bound.length < dispatch.bindings.length) pass.setImmediates?.(0, words);
    pass.dispatchWorkgroups(...dispatch.workgroups);
  }
  pass.end();
  const readers = kernel.slots.map(({ isOutput }, slot) => {
    const source = slots[slot];
    if (!isOutput || !source) return null;
    const reader = create(source.size, bufferUsage.mapRead | bufferUsage.copyTarget);
    encoder.copyBufferToBuffer(source, 0, reader, 0, source.size);
    return reader;
  });
  device.queue.submit([encoder.finish()]);
  for (const [slot, reader] of readers.entries()) {
    const elements = buffers[slot];
    if (!reader || !elements) continue;
    await reader.mapAsync(mapForReading);
    const bytes = new Uint8Array(reader.getMappedRange());
    new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength).set(
      bytes.subarray(0, elements.byteLength),
    );
    reader.unmap();
  }
  for (const buffer of made) buffer.destroy();
}

function padded(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}

function pipelineOf(device: GpuDevice, { wgsl, bindings }: GpuDispatch): Promise<Pipeline> {
  const known = pipelines.get(wgsl);
  if (known) return known;
  const made = createPipeline(device, wgsl, bindings);
  pipelines.set(wgsl, made);
  return made;
}

async function createPipeline(device: GpuDevice, wgsl: string, bindings: readonly GpuBinding[]): Promise<Pipeline> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: wgsl });
  let immediateSize = 0;
  const layout = device.createBindGroupLayout({
    entries: bindings.flatMap((binding, k) => {
      if (binding.kind === "immediates") {
        immediateSize = binding.byteLength;
        return [];
      }
      const type = binding.kind === "arguments" ? "uniform" : binding.isWritten ? "storage" : "read-only-storage";
      return { binding: k, visibility: 4, buffer: { type } } as const;
    }),
  });
  const compiled = device.createComputePipelineAsync({
    layout: device.createPipelineLayout({
      bindGroupLayouts: [layout],
      ...(immediateSize === 0 ? {} : { immediateSize }),
    }),
    compute: { module, entryPoint: "main" },
  });
  const [pipeline, error] = await Promise.all([compiled.catch(() => null), device.popErrorScope()]);
  if (!pipeline || error) throw new Error(`${error?.message ?? "no pipeline"}\n${numbered(wgsl)}`);
  return { pipeline, layout };
}

function numbered(text: string): string {
  return text
    .split("\n")
    .map((line, k) => `${k + 1}: ${line}`)
    .join("\n");
}
