/** A device that fails on demand to create buffers, as an exhausted GPU does: it gives buffers that are none, and says so in a scope. */
import type { OpenDevice } from "../../src/backends/webgpu/adapter.ts";
import type { GpuBuffer, GpuDevice, GpuErrorFilter, GpuErrorReport } from "../../src/backends/webgpu/gpu-api.ts";
import { changedDevice } from "./changed-device.ts";

/** When the device fails, and how often it was asked. */
export interface Failures {
  /** The first buffer, counted from 0, that does not fit; nor do those after it. */
  failFrom: number;
  created: number;
}

/** `open` with buffers of any kind that fail as `failures` says. */
export function failingDevice(open: OpenDevice, failures: Failures): OpenDevice {
  const { device } = open;
  const scopes: { readonly filter: GpuErrorFilter; injected: GpuErrorReport | null }[] = [];
  const wrapped: Partial<GpuDevice> = {
    createBuffer(descriptor) {
      if (failures.created++ < failures.failFrom) return device.createBuffer(descriptor);
      const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
      if (!scope) throw new Error("a buffer was made where nobody hears that it does not fit");
      scope.injected ??= { message: "injected: no memory" };
      return brokenBuffer(device, descriptor.size);
    },
    pushErrorScope(filter) {
      scopes.push({ filter, injected: null });
      device.pushErrorScope(filter);
    },
    async popErrorScope() {
      const scope = scopes.pop();
      return (await device.popErrorScope()) ?? scope?.injected ?? null;
    },
  };
  return { ...open, device: changedDevice(device, wrapped) };
}

/** A buffer that does not exist: no combination of all uses is allowed. */
function brokenBuffer(device: GpuDevice, size: number): GpuBuffer {
  device.pushErrorScope("validation");
  const buffer = device.createBuffer({ size, usage: 0xffff });
  device.popErrorScope();
  return buffer;
}
