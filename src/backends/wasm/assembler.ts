/** Writes WebAssembly functions byte by byte. Knows the binary format; knows nothing of arrays and kernels. */
import { remembered } from "../../base/remembered.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type LaneOpName, type MemoryLaneOpName, type MemoryOpName, type OpName, opcodeOf } from "./opcodes.ts";

/** Type of a WebAssembly value. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Parameters and results of a function. */
export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** How the binary format spells the types of values. */
export const VALUE_TYPE_CODE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
const NO_RESULT = 0x40;

/** Views of one 16-byte scratch through which constants are turned into bytes (WebAssembly and its hosts: little-endian). */
const scratchBytes = new Uint8Array(16);
const scratchWords = new Uint32Array(scratchBytes.buffer);
const scratchFloats = new Float32Array(scratchBytes.buffer);
const scratchDoubles = new Float64Array(scratchBytes.buffer);
const scratchLongs = new BigInt64Array(scratchBytes.buffer);

type ImportFunction = (name: string, type: FunctionType) => number;

/**
 * Writes one function's body. Methods push instructions in order and return the builder.
 *
 * Locals are numbers, parameters first. A branch depth counts enclosing `block`, `loop` and `if` from the innermost, 0.
 */
export class FunctionBuilder {
  /** The function's type. */
  readonly type: FunctionType;
  /** The instructions without immediates that {@link op} wrote. */
  readonly instructions: Set<OpName> = new Set();
  readonly #code = new ByteWriter();
  readonly #localTypes: ValueType[];
  readonly #free = new Map<ValueType, number[]>();
  /** Locals of the vector constants, by content; a number stands for four copies of itself. */
  readonly #constants = new Map<number | string, number>();
  /** Sets those locals at function entry. */
  readonly #prologue = new ByteWriter();
  /** Pairs: offset into the code, handle of the function called there. */
  readonly #calls: number[] = [];

  readonly #importFunction: ImportFunction;

  /** Made by {@link ModuleBuilder.addFunction}. */
  constructor(type: FunctionType, importFunction: ImportFunction) {
    this.type = type;
    this.#importFunction = importFunction;
    this.#localTypes = [...type.params];
  }

  /** Index of a local that nobody else uses. Its value is undefined until set: a released local may come back. */
  local(type: ValueType): number {
    return this.#free.get(type)?.pop() ?? this.#localTypes.push(type) - 1;
  }

  /** Gives a local back for reuse by {@link local}. */
  release(local: number): void {
    const type = this.#localTypes[local];
    if (type === undefined) throw new Error(`there is no local ${local} to release`);
    const free = remembered(this.#free, type, () => []);
    if (free.includes(local)) throw new Error(`local ${local} was released twice`);
    free.push(local);
  }

  /** Pushes locals, the last on top. */
  get(...locals: number[]): this {
    for (const local of locals) this.#withIndex(0x20, local);
    return this;
  }

  /** Pops into a local. */
  set(local: number): this {
    return this.#withIndex(0x21, local);
  }

  /** Stores the top of the stack in a local and leaves it there. */
  tee(local: number): this {
    return this.#withIndex(0x22, local);
  }

  /** Pushes an i32 constant. */
  i32(value: number): this {
    this.#code.byte(0x41);
    this.#code.signed(value);
    return this;
  }

  /** Pushes an i64 constant. */
  i64(value: bigint): this {
    this.#code.byte(0x42);
    this.#code.signedBig(value);
    return this;
  }

  /** Pushes an f32 constant, rounded to float32. */
  f32(value: number): this {
    scratchFloats[0] = value;
    this.#code.byte(0x43);
    this.#code.append(scratchBytes.subarray(0, 4));
    return this;
  }

  /** Writes an instruction that has no immediates. */
  op(name: OpName): this {
    this.instructions.add(name);
    this.#opcode(opcodeOf(name).opcode);
    return this;
  }

  /** Writes a load or a store; `offset` is in bytes and added to the address on the stack. */
  memory(name: MemoryOpName, offset = 0): this {
    return this.#access(name, offset);
  }

  /** Writes a load or store of one lane. */
  memoryLane(name: MemoryLaneOpName, offset: number, lane: number): this {
    this.#access(name, offset);
    this.#code.byte(lane);
    return this;
  }

  /** Reads or replaces one lane. */
  lane(name: LaneOpName, lane: number): this {
    this.#opcode(opcodeOf(name).opcode);
    this.#code.byte(lane);
    return this;
  }

  /** `i8x16.shuffle`: sixteen byte numbers, 0–15 of the lower operand, 16–31 of the upper. */
  shuffle(...lanes: number[]): this {
    if (lanes.length !== 16) throw new Error(`a shuffle takes 16 lanes, not ${lanes.length}`);
    this.#opcode(0xfd00d);
    for (const lane of lanes) this.#code.byte(lane);
    return this;
  }

  /**
   * Pushes a vector constant of 16 bytes.
   *
   * The constant is set once at function entry and read from a local here: engines rebuild an inline constant at each use.
   */
  v128(bytes: Uint8Array): this {
    if (bytes.length !== 16) throw new Error(`a vector constant has 16 bytes, not ${bytes.length}`);
    scratchBytes.set(bytes);
    return this.get(this.#scratchConstant());
  }

  /** Pushes four copies of a float32 through {@link v128}. */
  splatF32(value: number): this {
    return this.get(this.constantF32(value));
  }

  /** Pushes four copies of a 32-bit integer through {@link v128}. */
  splatI32(value: number): this {
    return this.get(this.constantI32(value));
  }

  /** Pushes two copies of a 64-bit integer through {@link v128}. */
  splatI64(value: bigint): this {
    return this.get(this.constantI64(value));
  }

  /** Local that holds four copies of a float32 throughout the function: read it, never set or release it. */
  constantF32(value: number): number {
    scratchFloats.fill(value);
    return this.#scratchConstant();
  }

  /** Local that holds four copies of a 32-bit integer throughout the function: read it, never set or release it. */
  constantI32(value: number): number {
    scratchWords.fill(value);
    return this.#scratchConstant();
  }

  /** Local that holds two copies of a 64-bit integer throughout the function: read it, never set or release it. */
  constantI64(value: bigint): number {
    scratchLongs.fill(value);
    return this.#scratchConstant();
  }

  /** Local that holds two copies of a float64 throughout the function: read it, never set or release it. */
  constantF64(value: number): number {
    scratchDoubles.fill(value);
    return this.#scratchConstant();
  }

  /** A block: a branch to it leaves it. */
  block(body: () => void): this {
    return this.#structured(0x02, body);
  }

  /** A loop: a branch to it starts it again. */
  loop(body: () => void): this {
    return this.#structured(0x03, body);
  }

  /** Pops an i32; runs `then` if it is not 0, `otherwise` if it is. */
  if(then: () => void, otherwise?: () => void, result?: ValueType): this {
    return this.#structured(0x04, then, otherwise, result);
  }

  /** Branches to the `depth`-th enclosing structure. */
  br(depth: number): this {
    return this.#withIndex(0x0c, depth);
  }

  /** Pops an i32 and branches if it is not 0. */
  brIf(depth: number): this {
    return this.#withIndex(0x0d, depth);
  }

  /** Calls a function by the handle that the module builder gave. */
  call(handle: number): this {
    this.#code.byte(0x10);
    this.#calls.push(this.#code.length, handle);
    for (let i = 0; i < 5; i++) this.#code.byte(0); // its index is known when the module is built
    return this;
  }

  /** Calls the function imported from module "e" under `name`; see {@link ModuleBuilder.importFunction}. */
  callImport(name: string, type: FunctionType): this {
    return this.call(this.#importFunction(name, type));
  }

  /** `memory.fill`: pops target, byte value and byte count. */
  memoryFill(): this {
    this.#opcode(0xfc00b);
    this.#code.byte(0);
    return this;
  }

  /** Appends the function's entry of the code section to `out`; `indexOf` turns a handle into a function index. */
  finish(out: ByteWriter, indexOf: (handle: number) => number): void {
    for (let i = 0; i < this.#calls.length; i += 2) {
      this.#code.patch(this.#calls[i] ?? 0, indexOf(this.#calls[i + 1] ?? 0));
    }
    const head = new ByteWriter();
    // Local declarations: runs of equal types.
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#localTypes.slice(this.type.params.length)) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    head.unsigned(runs.length);
    for (const { type, count } of runs) {
      head.unsigned(count);
      head.byte(VALUE_TYPE_CODE[type]);
    }
    out.unsigned(head.length + this.#prologue.length + this.#code.length + 1);
    out.append(head.view());
    out.append(this.#prologue.view());
    out.append(this.#code.view());
    out.byte(0x0b);
  }

  #opcode(opcode: number): void {
    if (opcode < 0x100) {
      this.#code.byte(opcode);
    } else {
      this.#code.byte(opcode >>> 12);
      this.#code.unsigned(opcode & 0xfff);
    }
  }

  /** Local of the vector constant that lies in the scratch. */
  #scratchConstant(): number {
    const [a, b, c, d] = scratchWords;
    const key = a === b && a === c && a === d && a !== undefined ? a : `${a},${b},${c},${d}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    // A fresh local, never a released one: the body may have written to that before this point.
    const local = this.#localTypes.push("v128") - 1;
    this.#constants.set(key, local);
    this.#prologue.byte(0xfd);
    this.#prologue.byte(0x0c);
    this.#prologue.append(scratchBytes);
    this.#prologue.byte(0x21);
    this.#prologue.unsigned(local);
    return local;
  }

  #withIndex(opcode: number, index: number): this {
    this.#code.byte(opcode);
    this.#code.unsigned(index);
    return this;
  }

  #access(name: MemoryOpName | MemoryLaneOpName, offset: number): this {
    const { opcode, alignment } = opcodeOf(name);
    this.#opcode(opcode);
    this.#code.byte(alignment);
    this.#code.unsigned(offset);
    return this;
  }

  #structured(opcode: number, body: () => void, otherwise?: () => void, result?: ValueType): this {
    this.#code.byte(opcode);
    this.#code.byte(result === undefined ? NO_RESULT : VALUE_TYPE_CODE[result]);
    body();
    if (otherwise !== undefined) {
      this.#code.byte(0x05);
      otherwise();
    }
    this.#code.byte(0x0b);
    return this;
  }
}
