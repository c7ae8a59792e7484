/**
 * The WebAssembly instructions that kernels are written with, as packed tables: text-format names in opcode order. Here those
 * of loops over floating-point numbers; parts of this backend bring the others along by importing `other-opcodes.ts`.
 */
import type { OtherInstructions } from "./other-opcodes.ts";

type Words<Text extends string, Found = never> = Text extends `${infer Word} ${infer Rest}`
  ? Words<Rest, Word extends "_" ? Found : Found | Word>
  : Found | Text;

type NamesOf<Rows extends readonly Row[]> = {
  [Index in keyof Rows]: `${Words<Rows[Index][1]>}.${Words<Rows[Index][2]>}`;
}[number];

/**
 * Consecutive opcodes: first opcode, prefixes, suffixes. Each prefix in turn takes every suffix; `_` skips an opcode.
 * An opcode above 0xff is its prefix byte times 0x1000 plus its number: 0xfd105 is number 0x105 of the vector set.
 */
export type Row = readonly [opcode: number, prefixes: string, suffixes: string];

const PLAIN = [
  [0x45, "i32", "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0x6a, "i32", "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u"],
  [0xfd011, "i32x4", "splat"],
  [0xfd041, "f32x4 f64x2", "eq ne lt gt le ge"],
  [0xfd04d, "v128", "not and andnot or xor bitselect"],
  [0xfd05e, "f32x4", "demote_f64x2_zero"],
  [0xfd05f, "f64x2", "promote_low_f32x4"],
  [0xfd067, "f32x4", "ceil floor trunc nearest"],
  [0xfd074, "f64x2", "ceil floor"],
  [0xfd07a, "f64x2", "trunc"],
  [0xfd094, "f64x2", "nearest"],
  [0xfd0e0, "f32x4 f64x2", "abs neg _ sqrt add sub mul div min max pmin pmax"],
  [0xfd105, "f32x4 f64x2", "relaxed_madd relaxed_nmadd"],
  [0xfd10b, "i32x4 i64x2", "relaxed_laneselect"],
] as const;

const MEMORY = [
  [0x28, "i32", "load"],
  [0xfd000, "v128", "load"],
  [0xfd009, "v128", "load32_splat load64_splat store"],
] as const;

const MEMORY_LANE = [[0xfd05a, "v128", "store32_lane store64_lane"]] as const;

const LANE = [[0xfd01b, "i32x4", "extract_lane"]] as const;

/** Text-format name of an instruction without immediates. */
export type OpName = NamesOf<typeof PLAIN> | NamesOf<OtherInstructions["plain"]> | "unreachable" | "nop" | "select";

/** Text-format name of an instruction whose immediates are an alignment and an offset. */
export type MemoryOpName = NamesOf<typeof MEMORY> | NamesOf<OtherInstructions["memory"]>;

/** Text-format name of a vector load or store of one lane. */
export type MemoryLaneOpName = NamesOf<typeof MEMORY_LANE> | NamesOf<OtherInstructions["memoryLane"]>;

/** Text-format name of an instruction that reads or replaces one lane. */
export type LaneOpName = NamesOf<typeof LANE> | NamesOf<OtherInstructions["lane"]>;

/** How an instruction is encoded: see {@link opcodeOf}. */
export interface Encoding {
  /** One byte below 0x100; else prefix byte · 0x1000 + number. */
  readonly opcode: number;
  /** log2 of the natural alignment in bytes; 0 for an instruction that touches no memory. */
  readonly alignment: number;
}

const encodings = new Map<string, Encoding>();

/** Encoding of the instruction with this text-format name. The tables are parsed at the first call. */
export function opcodeOf(name: OpName | MemoryOpName | MemoryLaneOpName | LaneOpName): Encoding {
  if (!encodings.has("nop")) defineOwn();
  const encoding = encodings.get(name);
  if (encoding === undefined) throw new Error(`no WebAssembly instruction is called ${name}`);
  return encoding;
}

function define(name: string, opcode: number, alignment = 0): void {
  encodings.set(name, { opcode, alignment });
}

function defineOwn(): void {
  defineRows([...PLAIN, ...LANE], false);
  defineRows([...MEMORY, ...MEMORY_LANE], true);
  define("unreachable", 0x00);
  define("nop", 0x01);
  define("select", 0x1b);
}

/** Makes instructions known. */
export function defineRows(rows: readonly Row[], touchesMemory: boolean): void {
  for (const [first, prefixes, suffixes] of rows) {
    let opcode = first;
    for (const prefix of prefixes.split(" ")) {
      for (const suffix of suffixes.split(" ")) {
        const name = `${prefix}.${suffix}`;
        if (suffix !== "_") define(name, opcode, touchesMemory ? naturalAlignment(name) : 0);
        opcode++;
      }
    }
  }
}

/** log2 of the bytes that the instruction reads or writes, read off its name. */
function naturalAlignment(name: string): number {
  const [, narrow, widened] = /(?:load|store)(\d+)(x)?/.exec(name) ?? [];
  const bits = widened ? 64 : Number(narrow ?? /^(?:.)(32|64|128)/.exec(name)?.[1] ?? 32);
  return Math.log2(bits / 8);
}
