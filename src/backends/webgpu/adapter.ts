/** Finds a GPU and opens a device with everything it offers: the browser's or runtime's own, or Dawn's package for Node. */
import { DeviceError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";
import { areNeighboursTogether, packsHalvesExactly, roundsIntegersExactly, takesImmediates } from "./device-trials.ts";
import type { Gpu, GpuAdapterInfo, GpuDevice } from "./gpu-api.ts";
import type { GpuTarget } from "./kernel-code.ts";

/** A device ready to use. */
export interface OpenDevice {
  readonly device: GpuDevice;
  readonly target: GpuTarget;
  readonly info: GpuAdapterInfo;
  /** Whether a program brought the device along and goes on using it: it is never destroyed here. */
  readonly isShared: boolean;
}

/** What is asked of an adapter, each as far as it has it; a device offers nothing that was not asked for. */
export interface WantedAbilities {
  readonly features: readonly string[];
  readonly limits: readonly string[];
}

/** Everything that kernels can make use of. */
const everything: WantedAbilities = {
  features: ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"],
  limits: [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupSizeY",
    "maxComputeWorkgroupsPerDimension",
    "maxImmediateSize",
  ],
};

/** Without these 16-bit floats stay off on NVIDIA's Vulkan driver, and subgroup matrices everywhere. */
const dawnOptions = ["enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis"];

/**
 * Opens a device of the GPU at hand.
 *
 * @throws {DeviceError} where there is none, saying what to install or to switch on
 */
export async function openDevice(wanted: Partial<WantedAbilities> = {}): Promise<OpenDevice> {
  const { features, limits } = { ...everything, ...wanted };
  const gpu = await findGpu();
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new DeviceError("gpu", missingAdapter());
  const requiredFeatures = features.filter((feature) => adapter.features.has(feature));
  const requiredLimits: Record<string, number> = {};
  for (const name of limits) {
    const value = adapter.limits[name];
    if (value !== undefined) requiredLimits[name] = value;
  }
  try {
    const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
    return { device, target: await targetOf(device, adapter.info), info: adapter.info, isShared: false };
  } catch (cause) {
    const adapterText = describeAdapter(adapter.info);
    throw new DeviceError("gpu", `the adapter ${adapterText} gave no device: ${reasonOf(cause)}`, { cause });
  }
}

/**
 * A device that the program itself opened, with what it was opened with.
 *
 * @throws {DeviceError} if it is lost already
 */
export async function adoptDevice(device: GpuDevice): Promise<OpenDevice> {
  const info = device.adapterInfo ?? { vendor: "", architecture: "", device: "", description: "" };
  const target = await targetOf(device, info);
  const loss = await Promise.race([device.lost, null]);
  if (loss) throw new DeviceError("gpu", `the device was lost (${loss.message || loss.reason}): open another one`);
  return { device, target, info, isShared: true };
}

/** Vendor, architecture and description, as far as they are known. */
function describeAdapter({ vendor, architecture, device, description }: GpuAdapterInfo): string {
  return [vendor, architecture, device, description].filter((part) => part !== "").join(" ") || "unknown";
}

async function targetOf(device: GpuDevice, info: GpuAdapterInfo): Promise<GpuTarget> {
  const { features, limits } = device;
  const { subgroupMinSize: min, subgroupMaxSize: max } = info;
  const immediateBytes = limits.maxImmediateSize ?? 0;
  const [areTogether, areTaken, packsHalves, roundsIntegers] = await Promise.all([
    features.has("subgroups") && min !== undefined && min > 0 && areNeighboursTogether(device, min),
    immediateBytes > 0 && takesImmediates(device),
    packsHalvesExactly(device),
    roundsIntegersExactly(device),
  ]);
  const hasSubgroups = areTogether && min !== undefined && max !== undefined;
  const hasMatrices = hasSubgroups && features.has("chromium-experimental-subgroup-matrix");
  return {
    isSoftware: info.isFallbackAdapter === true,
    hasF16: features.has("shader-f16"),
    packsHalves,
    roundsIntegers,
    subgroups: hasSubgroups ? { min, max } : null,
    matrixTiles: hasMatrices
      ? [...(info.subgroupMatrixConfigs ?? [])]
          .filter(({ componentType, resultComponentType }) => componentType === "f16" && resultComponentType === "f32")
          .map(({ M, N, K }) => ({ m: M, n: N, k: K }))
      : [],
    storageBuffers: limits.maxStorageBuffersPerShaderStage ?? 8,
    bindingBytes: Math.min(limits.maxStorageBufferBindingSize ?? 2 ** 27, 2 ** 31 - 4),
    workgroupsPerAxis: limits.maxComputeWorkgroupsPerDimension ?? 65_535,
    workgroupBytes: limits.maxComputeWorkgroupStorageSize ?? 16_384,
    workgroupThreads: Math.min(
      limits.maxComputeInvocationsPerWorkgroup ?? 256,
      limits.maxComputeWorkgroupSizeX ?? 256,
      limits.maxComputeWorkgroupSizeY ?? 256,
    ),
    immediateBytes: areTaken ? immediateBytes : 0,
  };
}

/** Not a literal in the import, so that bundlers do not look for a package that browsers never need. */
const dawnPackage = "webgpu";

/** Dawn's object for this process: it must live as long as any device does. */
let dawn: Gpu | null = null;

async function findGpu(): Promise<Gpu> {
  const own = ownGpu();
  if (own) return own;
  if (dawn) return dawn;
  if (!isNodeLike()) {
    throw new DeviceError(
      "gpu",
      "this browser has no WebGPU (navigator.gpu): use a current Chromium, Firefox or Safari over https or on localhost",
    );
  }
  let module: unknown;
  try {
    module = await import(/* @vite-ignore */ /* webpackIgnore: true */ dawnPackage);
  } catch (cause) {
    throw new DeviceError(
      "gpu",
      `this runtime has no WebGPU of its own: install Dawn's package beside mlx-ts, \`npm install webgpu\` (${reasonOf(cause)})`,
      { cause },
    );
  }
  if (!isDawn(module))
    throw new DeviceError("gpu", "the package `webgpu` has no create(): install version 0.4 or later");
  try {
    dawn = module.create([...dawnOptions]);
  } catch (cause) {
    throw new DeviceError("gpu", `the package \`webgpu\` does not start: ${reasonOf(cause)}`, { cause });
  }
  return dawn;
}

function ownGpu(): Gpu | null {
  const { navigator } = globalThis;
  if (typeof navigator !== "object" || navigator === null || !("gpu" in navigator)) return null;
  return isGpu(navigator.gpu) ? navigator.gpu : null;
}

function isNodeLike(): boolean {
  return typeof process === "object" && typeof process.versions?.node === "string";
}

function isGpu(value: unknown): value is Gpu {
  return typeof value === "object" && value !== null && "requestAdapter" in value;
}

function isDawn(value: unknown): value is { create(options: string[]): Gpu } {
  return typeof value === "object" && value !== null && "create" in value && typeof value.create === "function";
}

function missingAdapter(): string {
  return isNodeLike()
    ? "no adapter: install a Vulkan driver (Debian: mesa-vulkan-drivers of bookworm-backports for a software one; " +
        "NVIDIA: its driver with libvulkan1), or name one in VK_ICD_FILENAMES before the program starts"
    : "no adapter: switch on hardware acceleration in the browser's settings; " +
        "chrome://gpu tells why WebGPU is off, and Linux needs --enable-unsafe-webgpu --enable-features=Vulkan";
}
