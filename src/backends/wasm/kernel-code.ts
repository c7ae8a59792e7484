/** What compiling a kernel gives: a module, the phases to run, and the argument block that its functions read. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating } from "../../base/dtype.ts";
import type { OwnBytes } from "../../base/elements.ts";
import type { Part } from "../../base/part.ts";
import type { Expressions } from "../../ir/expr.ts";
import type { ContractionKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import type { CompileOptions } from "./engine-features.ts";
import { ExpressionEmitter } from "./expression-emitter.ts";
import type { GemmPhase } from "./gemm-spec.ts";
import type { LaneParts, Target } from "./lane-ops.ts";
import type { MemoryOptions } from "./module-builder.ts";
import type { OpName } from "./opcodes.ts";
import type { ScratchSlot } from "./scratch-slots.ts";

/** Emitters that are loaded when first needed. */
export interface KernelParts extends LaneParts {
  /** Matrix products. */
  readonly products: Part<{
    emit(kernel: ContractionKernel, target: KernelTarget): KernelCode;
    text(kernel: ContractionKernel): string;
  }>;
  /** What loops keep in scratch memory, and where intermediates lie there. */
  readonly scratchMemory: Part<
    Pick<typeof import("./loop-memory.ts"), "emitPasses" | "keepValues"> & typeof import("./intermediates.ts")
  >;
  /** Composites as one kernel: attention, products with packed weights. */
  readonly composites: Part<Pick<typeof import("./composites.ts"), "emit" | "isTaken">>;
  /** Whether a loop of these instructions may be compiled for wide vectors. */
  readonly wideLoops: Part<(instructions: ReadonlySet<OpName>) => boolean>;
}

/** What kernels are compiled for. */
export interface KernelTarget extends Target, MemoryOptions {
  readonly parts: KernelParts;
  /** Bound of the thread numbers that functions get. */
  readonly threadCount: number;
}

/** A kernel's module with what is needed to run it. */
export interface KernelCode {
  readonly bytes: OwnBytes;
  readonly phases: readonly GemmPhase[];
  /** Bytes of scratch memory, at an address that is a multiple of 64. */
  readonly scratchBytes: number;
  readonly layout: ArgumentLayout;
  /** What the module is made of, if it gains from wide vectors. */
  readonly instructions?: ReadonlySet<OpName>;
  /** The module whose functions this one imports, if it needs one. */
  readonly library?: KernelLibrary;
}

/** A module that kernels import functions from: all that name it share one. */
export interface KernelLibrary {
  readonly name: string;
  readonly options: CompileOptions;
  emit(target: Pick<Target, "relaxed"> & MemoryOptions): OwnBytes;
  /** What it imports from in turn. */
  readonly library?: KernelLibrary;
}

/** Where things lie in the argument block of a call. */
export interface ArgumentLayout {
  readonly slotCount: number;
  readonly arguments: readonly Dtype[];
  /** Offset of the first lifted constant; each takes 8 bytes. */
  readonly constants: number;
  /** Offset of the address of the scratch memory. */
  readonly scratch: number;
  readonly byteLength: number;
}

/** The layout of the argument block of a kernel. */
export function argumentLayout(slotCount: number, types: readonly Dtype[]): ArgumentLayout {
  const constants = Math.ceil(slotCount / 2) * 8;
  const scratch = constants + types.length * 8;
  return { slotCount, arguments: types, constants, scratch, byteLength: scratch + 4 };
}

/** The type of every exported function: argument block, first item, item after the last, number of the thread. */
export const phaseType: FunctionType = { params: ["i32", "i32", "i32", "i32"], results: [] };

/** An emitter whose buffers and constants come from the argument block in parameter 0; those in scratch memory from `scratchBase` on, where parameter 3 is the thread. */
export function emitterFor(
  f: FunctionBuilder,
  options: {
    readonly e: Expressions;
    readonly target: Target;
    readonly layout: ArgumentLayout;
    readonly scratchSlots?: readonly ScratchSlot[];
    readonly scratchBase?: number;
  },
): ExpressionEmitter {
  const { layout, scratchSlots = [], scratchBase = 0 } = options;
  const pointers = Array.from({ length: layout.slotCount }, (_, slot) => {
    const local = f.local("i32");
    f.get(0)
      .memory("i32.load", slot * 4)
      .set(local);
    return local;
  });
  for (const { offset, stride } of scratchSlots) {
    const local = f.local("i32");
    f.get(0).memory("i32.load", layout.scratch);
    f.i32(scratchBase + offset).op("i32.add");
    if (stride > 0) f.get(3).i32(stride).op("i32.mul").op("i32.add");
    f.set(local);
    pointers.push(local);
  }
  const constants = layout.arguments.map((dtype, slot) => {
    const local = f.local("v128");
    f.get(0)
      .memory(is64(dtype) ? "v128.load64_splat" : "v128.load32_splat", layout.constants + slot * 8)
      .set(local);
    return local;
  });
  return new ExpressionEmitter(f, options.e, options.target, {
    pointers: (slot) => pointers[slot] ?? 0,
    arguments: (slot) => constants[slot] ?? 0,
  });
}

/** Writes a lifted constant in the form of its registers: half floats as float32, bool as a mask. */
export function writeConstant(view: DataView, offset: number, dtype: Dtype, value: number | bigint): void {
  if (dtype === "bool") view.setInt32(offset, value ? -1 : 0, true);
  else if (dtype === "float64") view.setFloat64(offset, Number(value), true);
  else if (isFloating(dtype)) view.setFloat32(offset, Number(value), true);
  else if (is64(dtype)) view.setBigInt64(offset, BigInt.asIntN(64, BigInt(value)), true);
  else view.setInt32(offset, Number(value) | 0, true);
}

function is64(dtype: Dtype): boolean {
  return byteLengthOf(dtype) === 8;
}
