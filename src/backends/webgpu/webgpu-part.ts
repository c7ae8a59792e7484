/** Provides what computes on the GPU. */
import "../../array/methods.ts";
import { adoptDevice, openDevice } from "./adapter.ts";
import { WebGpuBackend } from "./webgpu-backend.ts";
import { webgpu } from "./webgpu-loader.ts";

webgpu.provide({ openDevice, adoptDevice, WebGpuBackend });
