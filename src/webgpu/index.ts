/** The public surface of `mlx-ts/webgpu`: the GPU, and buffers shared with a program's own WebGPU code. */
export type { GpuInfo } from "../array/gpu.ts";
export { gpu } from "../array/gpu.ts";
export { bufferOf, type GpuElements } from "../array/gpu-buffer.ts";
export type { GpuBuffer, GpuDevice } from "../backends/webgpu/gpu-api.ts";
