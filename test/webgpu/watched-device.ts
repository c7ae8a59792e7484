/** A device that counts what is waited for, and does something at one of these waits. */
import type { OpenDevice } from "../../src/backends/webgpu/adapter.ts";

/** What is waited for, and when to act. */
export interface Waits {
  /** Promises that the device and its queue gave so far. */
  count: number;
  /** The wait, counted from 0, at which `act` is called. */
  at: number;
  act: () => void;
}

/** `open` with its waits counted, those for buffers' contents included. */
export function watchedDevice(open: OpenDevice, waits: Waits): OpenDevice {
  const watched = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, key) {
        const value: unknown = Reflect.get(object, key, object);
        if (key === "queue" && typeof value === "object" && value !== null) return queue;
        if (typeof value !== "function") return value;
        return (...args: readonly unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, object, args);
          if (!(result instanceof Promise)) return result;
          if (waits.count++ === waits.at) waits.act();
          return result;
        };
      },
    });
  const queue = watched(open.device.queue);
  return { ...open, device: watched(open.device) };
}
