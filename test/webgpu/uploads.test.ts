/** Elements reach the GPU without a copy of ours where it can be given the memory itself, and through a small block where not. */
import * as mx from "mlx-ts";
import { afterEach, describe, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { changedDevice } from "./changed-device.ts";

const sizes = [1, 3, 4, 1_000, 1_048_573, 1_048_576, 2_621_447];

afterEach(() => {
  mx.gpu.close();
  setGpu(null);
});

/** Bytes 0 to 250, again and again, from byte 8 of a block on. */
function filled(block: ArrayBufferLike, size: number): Uint8Array {
  const bytes = new Uint8Array(block, 8, size);
  for (let k = 0; k < size; k++) bytes[k] = k % 251;
  return bytes;
}

const memories: Readonly<Record<string, (byteLength: number) => ArrayBufferLike>> = {
  "memory of its own": (byteLength) => new ArrayBuffer(byteLength),
  ...(typeof SharedArrayBuffer === "undefined"
    ? {}
    : { "memory that threads share": (byteLength: number) => new SharedArrayBuffer(byteLength) }),
};

describe.each(Object.entries(memories))("from %s", (kind, allocate) => {
  it.each(sizes)("%i bytes arrive as they are", async (size) => {
    const open = await openDevice();
    const writes: { readonly buffer: unknown; readonly bytes: number }[] = [];
    const queue: object = new Proxy(open.device.queue, {
      get(target, key) {
        if (key === "writeBuffer")
          return (...args: Parameters<typeof target.writeBuffer>) => {
            writes.push({ buffer: args[2].buffer, bytes: args[4] ?? args[2].byteLength });
            target.writeBuffer(...args);
          };
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const backend = new WebGpuBackend({ ...open, device: changedDevice(open.device, { queue }) });
    setGpu(backend);
    const block = allocate(size + 8);
    const source = filled(block, size);
    const allocation = backend.upload(source);
    const arrived = await allocation.read((bytes) => bytes.slice());
    expect(arrived.every((byte, k) => byte === k % 251) && arrived.length === size).toBe(true);
    allocation.release();
    const own = writes.filter(({ buffer }) => buffer === block);
    const copied = writes.filter(({ buffer }) => buffer !== block);
    const isShared = kind === "memory that threads share";
    // Whole words go straight to the GPU; what is left of the last one is filled up.
    expect(own.map(({ bytes }) => bytes)).toEqual(isShared || size < 4 ? [] : [size - (size % 4)]);
    expect(new Set(copied.map(({ buffer }) => buffer)).size).toBeLessThanOrEqual(1);
    expect(copied.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
      isShared ? Math.ceil(size / 4) * 4 : size % 4 === 0 ? 0 : 4,
    );
  });
});
