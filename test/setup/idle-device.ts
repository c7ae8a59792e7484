/** A GPU device that computes nothing and counts what it is asked for: what a run costs besides its kernels. */
import type { OpenDevice } from "../../src/backends/webgpu/adapter.ts";
import type { GpuBuffer, GpuDevice } from "../../src/backends/webgpu/gpu-api.ts";
import type { GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";

/** What was asked for so far. */
export interface Asked {
  buffers: number;
  bindGroups: number;
  pipelines: number;
  dispatches: number;
  submissions: number;
  writes: number;
  immediates: number;
}

/** What a desktop GPU offers. */
const target: GpuTarget = {
  isSoftware: false,
  hasF16: true,
  packsHalves: true,
  roundsIntegers: true,
  subgroups: { min: 32, max: 32 },
  matrixTiles: [],
  storageBuffers: 16,
  bindingBytes: 2 ** 31 - 4,
  workgroupsPerAxis: 65_535,
  workgroupBytes: 49_152,
  workgroupThreads: 1024,
  immediateBytes: 64,
};

/** The device, and its counters. */
export function idleDevice(): { readonly open: OpenDevice; readonly asked: Asked } {
  const asked: Asked = {
    buffers: 0,
    bindGroups: 0,
    pipelines: 0,
    dispatches: 0,
    submissions: 0,
    writes: 0,
    immediates: 0,
  };
  const done = Promise.resolve();
  const nothing = (): void => {};
  const pass = {
    setPipeline: nothing,
    setBindGroup: nothing,
    setImmediates: () => {
      asked.immediates++;
    },
    dispatchWorkgroups: () => {
      asked.dispatches++;
    },
    end: nothing,
  };
  const encoder = { beginComputePass: () => pass, copyBufferToBuffer: nothing, finish: () => pass };
  const device: GpuDevice = {
    features: new Set<string>(),
    limits: { maxBufferSize: 2 ** 32 },
    queue: {
      submit: () => {
        asked.submissions++;
      },
      writeBuffer: () => {
        asked.writes++;
      },
      onSubmittedWorkDone: () => done,
    },
    lost: new Promise(nothing),
    createBuffer({ size }): GpuBuffer {
      asked.buffers++;
      return {
        size,
        mapAsync: () => done,
        getMappedRange: (_, byteLength = size) => new ArrayBuffer(byteLength),
        unmap: nothing,
        destroy: nothing,
      };
    },
    createShaderModule: () => ({ getCompilationInfo: async () => ({ messages: [] }) }),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    async createComputePipelineAsync() {
      asked.pipelines++;
      return {};
    },
    createBindGroup() {
      asked.bindGroups++;
      return {};
    },
    createCommandEncoder: () => encoder,
    pushErrorScope: nothing,
    popErrorScope: async () => null,
    addEventListener: nothing,
    destroy: nothing,
  };
  const info = { vendor: "none", architecture: "", device: "", description: "computes nothing" };
  return { open: { device, target, info, isShared: false }, asked };
}
