/** Finding a device, and finding out by trial what it can do. */
import { expect, it } from "vitest";
import { adoptDevice, openDevice } from "../../src/backends/webgpu/adapter.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { changedDevice } from "./changed-device.ts";

it("a device is found, and says what it can do", async () => {
  const { target, device } = await testDevice();
  expect(target.storageBuffers).toBeGreaterThanOrEqual(8);
  expect(target.bindingBytes).toBeGreaterThanOrEqual(2 ** 27);
  expect(target.workgroupsPerAxis).toBeGreaterThanOrEqual(65_535);
  expect(target.workgroupBytes).toBeGreaterThanOrEqual(16_384);
  expect(target.hasF16).toBe(device.features.has("shader-f16"));
});

it("a device that rounds integers otherwise than to the nearest is found out", async () => {
  const { device, info } = await openDevice();
  const rough = changedDevice(device, {
    adapterInfo: info,
    createShaderModule: ({ code }: { readonly code: string }) =>
      device.createShaderModule({ code: code.replace("f32(x) ==", "f32(x & 0xffffff80u) ==") }),
  });
  expect((await adoptDevice(rough)).target.roundsIntegers).toBe(false);
  device.destroy();
});

it("a device that packs halves otherwise than they are stored is found out", async () => {
  const { device, info } = await openDevice();
  const rough = changedDevice(device, {
    adapterInfo: info,
    createShaderModule: ({ code }: { readonly code: string }) =>
      device.createShaderModule({
        code: code.replace(/pack2x16float\((vec2f\(x, -x\))\)/, "(pack2x16float($1) & ~1u)"),
      }),
  });
  expect((await adoptDevice(rough)).target.packsHalves).toBe(false);
  device.destroy();
});
