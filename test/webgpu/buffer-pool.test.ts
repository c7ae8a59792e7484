/** Buffers are handed out again, within a budget, and no larger than the device makes them. */
import * as mx from "mlx-ts";
import { expect, it } from "vitest";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { BufferPool } from "../../src/backends/webgpu/buffer-pool.ts";
import { changedDevice } from "./changed-device.ts";

async function poolOf(maxBufferSize: number): Promise<BufferPool> {
  const { device } = await openDevice();
  return new BufferPool(changedDevice(device, { limits: { maxBufferSize } }), () => undefined);
}

it("the largest buffers there may be are handed out again, and hold whole vectors", async () => {
  const pool = await poolOf(1_000_003);
  const first = pool.take(999_990);
  expect(first.byteLength).toBe(1_000_000);
  pool.give(first);
  expect(pool.take(990_000)).toBe(first);
  expect(() => pool.take(1_000_001)).toThrow(mx.OutOfMemoryError);
  pool.close();
});

it("what is kept stays within the budget, and what is in use within the limit", async () => {
  const pool = await poolOf(2 ** 28);
  const buffers = [1000, 2000, 4000, 8000].map((byteLength) => pool.take(byteLength));
  const { active } = pool;
  pool.setLimits({ cache: 5000, memory: active });
  expect(() => pool.take(16)).toThrow(/16 bytes do not fit: \d+ of \d+ are in use/);
  for (const buffer of buffers) pool.give(buffer);
  expect(pool.active).toBe(0);
  expect(pool.cached).toBeGreaterThan(0);
  expect(pool.cached).toBeLessThanOrEqual(5000);
  expect(pool.peak).toBe(active);
  pool.clearCache();
  expect(pool.cached).toBe(0);
  pool.close();
});
