/** A device that fails on demand to create buffers, as an exhausted GPU does. */
import type { OpenDevice } from "../../src/backends/webgpu/adapter.ts";
import type { GpuDevice, GpuErrorReport } from "../../src/backends/webgpu/gpu-api.ts";

/** When the device fails, and how often it was asked. */
export interface Failures {
  /** The first buffer, counted from 0, that does not fit; nor do those after it. */
  failFrom: number;
  created: number;
}

/** `open` with buffers that fail as `failures` says. */
export function failingDevice(open: OpenDevice, failures: Failures): OpenDevice {
  const { device } = open;
  let pending: GpuErrorReport | null = null;
  const wrapped: Partial<GpuDevice> = {
    createBuffer(descriptor) {
      const isStorage = (descriptor.usage & 128) !== 0;
      if (isStorage && failures.created++ >= failures.failFrom) pending = { message: "injected: no memory" };
      return device.createBuffer(descriptor);
    },
    async popErrorScope() {
      const injected = pending;
      pending = null;
      return (await device.popErrorScope()) ?? injected;
    },
  };
  const proxy = new Proxy(device, {
    get(target, key) {
      const own: unknown = Reflect.get(wrapped, key);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { ...open, device: proxy };
}
