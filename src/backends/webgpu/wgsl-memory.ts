/**
 * How a shader reads and writes the buffers of a kernel: functions by slot that take positions in elements, declared as they
 * are used. Elements of fewer than 32 bits lie packed in words; a buffer larger than a binding is bound in several windows.
 */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf } from "../../base/dtype.ts";
import { DeviceError } from "../../base/errors.ts";
import type { Slot } from "../../ir/kernel.ts";
import type { GpuBinding, GpuTarget } from "./kernel-code.ts";
import { buffersName } from "./kernel-name.ts";
import type { Usage } from "./wgsl-elements.ts";
import { ElementAccess, storageElement } from "./wgsl-elements.ts";
import type { Shader } from "./wgsl-shader.ts";
import { registerOf, typeName } from "./wgsl-types.ts";

/** What of a kernel its memory depends on. */
export interface KernelInterface {
  readonly slots: readonly Slot[];
  readonly arguments: readonly Dtype[];
  readonly label: string;
}

/** Memory that the dispatches of a kernel share, as one shader sees it. */
interface ScratchUse {
  readonly scratch: number;
  readonly name: string;
  readonly elementType: string;
  readonly windows: readonly Window[];
  isWritten: boolean;
}

/** Scratch memory of any length, element by element. */
export interface ScratchArray {
  /** The text of the element at `position`, an i32. */
  load(position: string): string;
  /** The statement that writes an element. */
  store(position: string, value: string): string;
}

interface Window {
  readonly name: string;
  /** First element, and bytes; null for a buffer bound as a whole. */
  readonly begin: number;
  readonly byteLength: number | null;
}

/** Bytes to which offsets of bindings are aligned. */
const windowAlignment = 256;
/** Bytes to which buffers are padded. */
const padding = 16;
/** Positions are i32. */
const mostElements = 2 ** 31 - 1;

/** The buffers of one shader. Ask for all accesses first, then for the bindings, which also declares everything. */
export class ShaderMemory {
  readonly #shader: Shader;
  readonly #kernel: KernelInterface;
  readonly #target: GpuTarget;
  readonly #usage = new Map<number, Usage>();
  readonly #scratch = new Map<string, ScratchUse>();
  #usesArguments = false;

  constructor(shader: Shader, kernel: KernelInterface, target: GpuTarget) {
    this.#shader = shader;
    this.#kernel = kernel;
    this.#target = target;
    if (target.packsHalves) shader.packHalves();
    if (target.roundsIntegers) shader.roundIntegers();
  }

  /** The element of `slot` at `position`, an i32. */
  load(slot: number, position: string): string {
    this.#use(slot).load = true;
    return `load${slot}(${position})`;
  }

  /** Four elements of `slot` from `position` on, which is a multiple of four. */
  loadFour(slot: number, position: string): string {
    this.#use(slot).loadFour = true;
    return `load${slot}x4(${position})`;
  }

  /** Four elements of `slot`, which holds float16, as vec4<f16>, from `position` on, a multiple of four. */
  loadHalves(slot: number, position: string): string {
    this.#shader.enable("f16");
    this.#use(slot).loadHalves = true;
    return `load${slot}halves(${position})`;
  }

  /** The bits of eight elements of `slot`, which holds 16-bit elements, as vec4u, from `position` on, a multiple of eight. */
  loadEight(slot: number, position: string): string {
    this.#use(slot).loadEight = true;
    return `load${slot}x8(${position})`;
  }

  /** The statement that writes an element; of one position at most once in a dispatch. */
  store(slot: number, position: string, value: string): string {
    this.#use(slot).store = true;
    return `store${slot}(${position}, ${value});`;
  }

  /** The statement that writes four elements from `position` on, a multiple of four; those beyond the end go into the padding. */
  storeFour(slot: number, position: string, value: string): string {
    this.#use(slot).storeFour = true;
    return `store${slot}x4(${position}, ${value});`;
  }

  /** The value of a lifted constant. */
  argument(place: number, dtype: Dtype): string {
    this.#usesArguments = true;
    const four = this.#hasImmediates ? `.four${place >> 2}` : `[${place >> 2}]`;
    const bits = `constants${four}.${"xyzw"[place & 3]}`;
    const register = registerOf(dtype);
    if (register === "bool") return `(${bits} != 0u)`;
    return register === "u32" ? bits : `bitcast<${register}>(${bits})`;
  }

  /** The name of a scratch buffer, never larger than a binding, as an array of `elementType`, under which the body indexes it. */
  scratch(scratch: number, elementType: string, isWritten: boolean): string {
    const name = `scratch${scratch}`;
    this.#useScratch(scratch, elementType, [{ name, begin: 0, byteLength: null }], isWritten);
    return name;
  }

  /** A scratch buffer of so many i32. */
  scratchArray(scratch: number, size: number): ScratchArray {
    const name = `scratch${scratch}`;
    const windows = this.#windowsOf(name, size, 4);
    const access = (isWritten: boolean): boolean => {
      this.#useScratch(scratch, "i32", windows, isWritten);
      return windows.length === 1;
    };
    return {
      load: (position) => (access(false) ? `${name}[${position}]` : `load_${name}(${position})`),
      store: (position, value) =>
        access(true) ? `${name}[${position}] = ${value};` : `store_${name}(${position}, ${value});`,
    };
  }

  #useScratch(scratch: number, elementType: string, windows: readonly Window[], isWritten: boolean): void {
    const name = `scratch${scratch}`;
    const known = this.#scratch.get(name);
    if (known) known.isWritten ||= isWritten;
    else this.#scratch.set(name, { scratch, name, elementType, windows, isWritten });
  }

  /**
   * Declares every buffer used so far with its access functions; the list says what is bound where.
   *
   * @throws {DeviceError} if the device binds fewer buffers at once, or cannot index one
   */
  bindings(): readonly GpuBinding[] {
    const bindings: GpuBinding[] = [];
    const declare = (kind: string, name: string, type: string, binding: GpuBinding): void => {
      this.#shader.declare(`@group(0) @binding(${bindings.length}) var<${kind}> ${name}: ${type};`);
      bindings.push(binding);
    };
    for (const [slot, usage] of [...this.#usage].sort(([a], [b]) => a - b)) {
      const { dtype } = this.#slot(slot);
      const element = storageElement(dtype, usage);
      const isWritten = usage.store || usage.storeFour;
      const windows = this.#windows(slot);
      for (const { name, begin, byteLength } of windows) {
        declare(isWritten ? "storage, read_write" : "storage, read", name, `array<${element}>`, {
          kind: "slot",
          slot,
          isWritten,
          ...(byteLength === null ? {} : { offset: begin * byteLengthOf(dtype), byteLength }),
        });
      }
      this.#declareAccess(slot, usage, element, windows);
    }
    for (const use of this.#scratch.values()) {
      const { scratch, elementType, windows, isWritten } = use;
      for (const { name, begin, byteLength } of windows) {
        declare(isWritten ? "storage, read_write" : "storage, read", name, `array<${elementType}>`, {
          kind: "scratch",
          scratch,
          isWritten,
          ...(byteLength === null ? {} : { offset: begin * 4, byteLength }),
        });
      }
      if (windows.length > 1) this.#declareScratchAccess(use);
    }
    const { storageBuffers } = this.#target;
    if (bindings.length > storageBuffers) {
      throw new DeviceError(
        "gpu",
        `the kernel ${buffersName(this.#kernel)} binds ${bindings.length} buffers or parts of large ones, and this device at most ` +
          `${storageBuffers}: evaluate some of its inputs before, or use smaller arrays`,
      );
    }
    if (!this.#usesArguments) return bindings;
    if (!this.#hasImmediates) {
      declare("uniform", "constants", `array<vec4u, ${this.#argumentBytes / 16}>`, { kind: "arguments" });
      return bindings;
    }
    // Arrays cannot be immediates.
    const members = Array.from({ length: this.#argumentBytes / 16 }, (_, k) => `four${k}: vec4u`);
    this.#shader.declare(`struct Constants { ${members.join(", ")} }`);
    this.#shader.declare("var<immediate> constants: Constants;");
    bindings.push({ kind: "immediates", byteLength: this.#argumentBytes });
    return bindings;
  }

  get #argumentBytes(): number {
    return Math.ceil(this.#kernel.arguments.length / 4) * 16;
  }

  get #hasImmediates(): boolean {
    return this.#argumentBytes <= this.#target.immediateBytes;
  }

  #use(slot: number): Usage {
    let usage = this.#usage.get(slot);
    if (!usage) {
      usage = { load: false, loadFour: false, loadHalves: false, loadEight: false, store: false, storeFour: false };
      this.#usage.set(slot, usage);
    }
    return usage;
  }

  #slot(slot: number): Slot {
    const found = this.#kernel.slots[slot];
    if (!found) throw new DeviceError("gpu", `the kernel ${this.#kernel.label} has no buffer ${slot}`);
    if (found.size > mostElements) {
      throw new DeviceError(
        "gpu",
        `${found.size} elements are more than the GPU indexes: use arrays of fewer than 2³¹`,
      );
    }
    return found;
  }

  #windows(slot: number): readonly Window[] {
    const { dtype, size } = this.#slot(slot);
    return this.#windowsOf(`slot${slot}`, size, byteLengthOf(dtype));
  }

  #windowsOf(name: string, size: number, elementBytes: number): readonly Window[] {
    const { bindingBytes } = this.#target;
    const bytes = Math.max(1, Math.ceil((size * elementBytes) / padding)) * padding;
    if (bytes <= bindingBytes) return [{ name, begin: 0, byteLength: null }];
    const most = Math.floor(bindingBytes / windowAlignment) * windowAlignment;
    return Array.from({ length: Math.ceil(bytes / most) }, (_, part) => ({
      name: `${name}_${part}`,
      begin: (part * most) / elementBytes,
      byteLength: Math.min(most, bytes - part * most),
    }));
  }

  #declareScratchAccess({ name, elementType, windows, isWritten }: ScratchUse): void {
    const loads = inWindows(windows, (buffer, p) => `return ${buffer}[${p}];`);
    this.#shader.declare(`fn load_${name}(p: i32) -> ${elementType} {\n${loads}\n}`);
    if (!isWritten) return;
    const stores = inWindows(windows, (buffer, p) => `${buffer}[${p}] = x;`, "return;");
    this.#shader.declare(`fn store_${name}(p: i32, x: ${elementType}) {\n${stores}\n}`);
  }

  /** The functions by which the body reads and writes a slot. */
  #declareAccess(slot: number, usage: Usage, element: string, windows: readonly Window[]): void {
    const { dtype } = this.#slot(slot);
    const register = registerOf(dtype);
    const access = new ElementAccess(this.#shader, dtype, element);
    const reading = (name: string, lanes: 1 | 4, body: (buffer: string, p: string) => string): void => {
      const lines = inWindows(windows, (buffer, p) => `return ${body(buffer, p)};`);
      this.#shader.declare(`fn ${name}(p: i32) -> ${typeName(register, lanes)} {\n${lines}\n}`);
    };
    const writing = (name: string, lanes: 1 | 4, body: (buffer: string, p: string) => string): void => {
      const lines = inWindows(windows, body, "return;");
      this.#shader.declare(`fn ${name}(p: i32, x: ${typeName(register, lanes)}) {\n${lines}\n}`);
    };
    if (usage.load) reading(`load${slot}`, 1, (buffer, p) => access.load(buffer, p));
    if (usage.loadFour) reading(`load${slot}x4`, 4, (buffer, p) => access.loadFour(buffer, p));
    if (usage.loadHalves) {
      const lines = inWindows(windows, (buffer, p) => `return ${access.loadHalves(buffer, p)};`);
      this.#shader.declare(`fn load${slot}halves(p: i32) -> vec4<f16> {\n${lines}\n}`);
    }
    if (usage.loadEight) {
      const lines = inWindows(windows, (buffer, p) => `return ${access.loadEight(buffer, p)};`);
      this.#shader.declare(`fn load${slot}x8(p: i32) -> vec4u {\n${lines}\n}`);
    }
    if (usage.store) writing(`store${slot}`, 1, (buffer, p) => access.store(buffer, p));
    if (usage.storeFour) writing(`store${slot}x4`, 4, (buffer, p) => access.storeFour(buffer, p));
  }
}

/** `body` for the window that `p` lies in. */
function inWindows(windows: readonly Window[], body: (buffer: string, p: string) => string, leave = ""): string {
  const parts = windows.map(({ name, begin }, k) => {
    const text = body(name, begin === 0 ? "p" : `(p - ${begin})`);
    const next = windows[k + 1];
    return next ? `  if (p < ${next.begin}) {\n    ${text}\n    ${leave}\n  }` : `  ${text}`;
  });
  return parts.join("\n");
}
