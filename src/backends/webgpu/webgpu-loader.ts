/** What computes on the GPU, loaded when a program first asks for it. */
import { Part } from "../../base/part.ts";
import type { adoptDevice, openDevice } from "./adapter.ts";
import type { WebGpuBackend } from "./webgpu-backend.ts";

/** Finding a device, and the backend that runs on it. */
export interface WebGpu {
  readonly openDevice: typeof openDevice;
  readonly adoptDevice: typeof adoptDevice;
  readonly WebGpuBackend: typeof WebGpuBackend;
}

/** See `WebGpu`. */
export const webgpu: Part<WebGpu> = /* @__PURE__ */ new Part("the GPU", () => import("./webgpu-part.ts"));
