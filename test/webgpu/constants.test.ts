/** Lifted constants reach their kernels: as immediates where the device has them and they fit, through a uniform buffer otherwise. */
import * as mx from "mlx-ts";
import { afterEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import type { OpenDevice } from "../../src/backends/webgpu/adapter.ts";
import { adoptDevice, openDevice } from "../../src/backends/webgpu/adapter.ts";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { floorDevice } from "../setup/gpu-device.ts";
import { kernelOf } from "../setup/planned-kernels.ts";
import { changedDevice } from "./changed-device.ts";

afterEach(() => {
  mx.gpu.close();
  setGpu(null);
});

/** Kernels of 3, 21 and 2 constants, in one evaluation. */
function several(shift: number): mx.MLXArray[] {
  const x = mx.array([1, 2, 3, 4, 5]);
  let long = x;
  for (let k = 0; k < 20; k++) long = mx.abs(long.sub(0.01 * (k + shift)));
  return [x.mul(0.5).add(shift).sub(7.25), long.sum().add(shift), x.max().mul(shift).sub(0.75)];
}

it.each([
  ["on all that the device has", openDevice],
  ["on the least that a device offers", floorDevice],
] as const)("%s, kernels of few and of many constants get their own at every run", async (_, open) => {
  setGpu(new WebGpuBackend(await open()));
  for (const shift of [0.125, 3, 3, -2.5]) {
    const found = mx.withDevice("gpu", () => several(shift));
    await mx.evaluate(found);
    for (const [k, wanted] of several(shift).entries()) {
      const is = [await found[k]?.tolist()].flat();
      for (const [place, value] of [await wanted.tolist()].flat().entries())
        expect(is[place]).toBeCloseTo(Number(value), 5);
    }
  }
});

it("up to sixteen constants are immediates, more a uniform buffer", async () => {
  const { target, device } = await openDevice();
  const kindsOf = (count: number): string[] => {
    let x = mx.ones([8]);
    for (let k = 0; k < count; k++) x = mx.tanh(x.add(k + 0.5));
    return emitLoops(kernelOf("loop", x), target).dispatches.flatMap(({ bindings }) =>
      bindings.map(({ kind }) => kind),
    );
  };
  expect(target.immediateBytes).toBe(device.limits.maxImmediateSize ?? 0);
  expect(kindsOf(3)).toContain(target.immediateBytes === 0 ? "arguments" : "immediates");
  expect(kindsOf(17)).toContain("arguments");
  expect(kindsOf(17)).not.toContain("immediates");
  device.destroy();
});

it("a device whose shaders do not see what they are given has no immediates", async () => {
  const { device, info }: OpenDevice = await openDevice();
  const blind = changedDevice(device, {
    adapterInfo: info,
    createShaderModule: ({ code }: { readonly code: string }) =>
      device.createShaderModule({ code: code.replace("var<immediate>", "var<private>") }),
  });
  expect((await adoptDevice(blind)).target.immediateBytes).toBe(0);
  device.destroy();
});
