import { expect, it } from "vitest";
import { testDevice } from "../setup/gpu-device.ts";

it("a device is found, and says what it can do", async () => {
  const { target, device } = await testDevice();
  expect(target.storageBuffers).toBeGreaterThanOrEqual(8);
  expect(target.bindingBytes).toBeGreaterThanOrEqual(2 ** 27);
  expect(target.workgroupsPerAxis).toBeGreaterThanOrEqual(65_535);
  expect(target.workgroupBytes).toBeGreaterThanOrEqual(16_384);
  expect(target.hasF16).toBe(device.features.has("shader-f16"));
});
