/** Compiled shaders, kept by their text. */
import { DeviceError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";
import type { GpuDevice } from "./gpu-api.ts";
import { computeStage } from "./gpu-api.ts";
import type { GpuBinding, GpuDispatch } from "./kernel-code.ts";

/** A shader ready to run. */
export interface Pipeline {
  readonly pipeline: object;
  readonly layout: object;
}

/** Pipelines kept for reuse; the least recently used one goes first. */
const pipelineLimit = 1024;

/** Makes pipelines, equal ones once. */
export class PipelineCache {
  readonly #device: GpuDevice;
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  readonly #layouts = new Map<string, { readonly group: object; readonly pipeline: object }>();

  constructor(device: GpuDevice) {
    this.#device = device;
  }

  /** How many are kept. */
  get size(): number {
    return this.#pipelines.size;
  }

  /**
   * The pipeline of a dispatch, compiled while other work goes on.
   *
   * @throws {DeviceError} with the compiler's message, naming the kernel `label`
   */
  get(dispatch: GpuDispatch, label: string): Promise<Pipeline> {
    const known = this.#pipelines.get(dispatch.wgsl);
    if (known) {
      this.#pipelines.delete(dispatch.wgsl);
      this.#pipelines.set(dispatch.wgsl, known);
      return known;
    }
    const made = this.#create(dispatch, label);
    made.catch(() => this.#pipelines.delete(dispatch.wgsl));
    this.#pipelines.set(dispatch.wgsl, made);
    if (this.#pipelines.size > pipelineLimit) {
      const [oldest] = this.#pipelines.keys();
      if (oldest !== undefined) this.#pipelines.delete(oldest);
    }
    return made;
  }

  async #create({ wgsl, bindings }: GpuDispatch, label: string): Promise<Pipeline> {
    const layout = this.#layoutOf(bindings);
    const module = this.#device.createShaderModule({ code: wgsl, label });
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        layout: layout.pipeline,
        compute: { module, entryPoint: "main" },
        label,
      });
      return { pipeline, layout: layout.group };
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      const found = [...messages].find(({ type }) => type === "error");
      const line = found ? wgsl.split("\n")[found.lineNum - 1]?.trim() : undefined;
      const reason = found ? `${found.message} in \`${line}\`` : reasonOf(cause);
      throw new DeviceError("gpu", `the kernel ${label} does not compile on this GPU: ${reason}`, { cause });
    }
  }

  #layoutOf(bindings: readonly GpuBinding[]): { readonly group: object; readonly pipeline: object } {
    let immediateSize = 0;
    const types: ("uniform" | "storage" | "read-only-storage")[] = [];
    for (const binding of bindings) {
      if (binding.kind === "immediates") immediateSize = binding.byteLength;
      else if (binding.kind === "arguments") types.push("uniform");
      else types.push(binding.isWritten ? "storage" : "read-only-storage");
    }
    const key = [immediateSize, ...types].join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const group = this.#device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: computeStage, buffer: { type } })),
    });
    const pipeline = this.#device.createPipelineLayout({
      bindGroupLayouts: [group],
      ...(immediateSize === 0 ? {} : { immediateSize }),
    });
    const layout = { group, pipeline };
    this.#layouts.set(key, layout);
    return layout;
  }
}
