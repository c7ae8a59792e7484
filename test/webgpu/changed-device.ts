/** A device some of whose members are others. */
import type { GpuDevice } from "../../src/backends/webgpu/gpu-api.ts";

/** `device` with the members of `own` in the place of its own. */
export function changedDevice(device: GpuDevice, own: object): GpuDevice {
  return new Proxy(device, {
    get(target, key) {
      if (key in own) return Reflect.get(own, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
