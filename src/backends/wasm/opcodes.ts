/** The WebAssembly instructions that kernels are written with, as packed tables: text-format names in opcode order. */

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
type Row = readonly [opcode: number, prefixes: string, suffixes: string];

const PLAIN = [
  [0x45, "i32 i64", "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0x5b, "f32 f64", "eq ne lt gt le ge"],
  [0x6a, "i32", "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u"],
  [0x7c, "i64", "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u"],
  [0x92, "f32", "add sub mul"],
  [0xa0, "f64", "add sub mul"],
  [0xaa, "i32", "trunc_f64_s"],
  [0xb6, "f32", "demote_f64"],
  [0xb7, "f64", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32"],
  [0xfc006, "i64", "trunc_sat_f64_s trunc_sat_f64_u"],
  [0xfd00f, "i8x16 i16x8 i32x4 i64x2 f32x4 f64x2", "splat"],
  [0xfd037, "i32x4", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0xfd041, "f32x4 f64x2", "eq ne lt gt le ge"],
  [0xfd04d, "v128", "not and andnot or xor bitselect any_true"],
  [0xfd05e, "f32x4", "demote_f64x2_zero"],
  [0xfd05f, "f64x2", "promote_low_f32x4"],
  [0xfd066, "i8x16", "narrow_i16x8_u"],
  [0xfd067, "f32x4", "ceil floor trunc nearest"],
  [0xfd074, "f64x2", "ceil floor"],
  [0xfd07a, "f64x2", "trunc"],
  [0xfd086, "i16x8", "narrow_i32x4_u"],
  [0xfd087, "i16x8", "extend_low_i8x16_s _ extend_low_i8x16_u"],
  [0xfd094, "f64x2", "nearest"],
  [0xfd0a0, "i32x4", "abs neg"],
  [0xfd0a7, "i32x4", "extend_low_i16x8_s _ extend_low_i16x8_u"],
  [0xfd0ab, "i32x4", "shl shr_s shr_u add _ _ sub _ _ _ mul min_s min_u max_s max_u"],
  [0xfd0c0, "i64x2", "abs neg"],
  [0xfd0c7, "i64x2", "extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u"],
  [0xfd0cb, "i64x2", "shl shr_s shr_u add _ _ sub _ _ _ mul eq ne lt_s gt_s le_s ge_s"],
  [0xfd0e0, "f32x4 f64x2", "abs neg _ sqrt add sub mul div min max pmin pmax"],
  [0xfd0f8, "i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u"],
  [0xfd0fa, "f32x4", "convert_i32x4_s convert_i32x4_u"],
  [0xfd0fc, "i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero"],
  [0xfd0fe, "f64x2", "convert_low_i32x4_s convert_low_i32x4_u"],
  [0xfd105, "f32x4 f64x2", "relaxed_madd relaxed_nmadd"],
  [0xfd10b, "i32x4 i64x2", "relaxed_laneselect"],
] as const;

const MEMORY = [
  [0x28, "i32 i64 f32 f64", "load"],
  [0x2c, "i32", "load8_s load8_u load16_s load16_u"],
  [0x36, "i32 i64 f32 f64", "store"],
  [0x3a, "i32", "store8 store16"],
  [0xfd000, "v128", "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u"],
  [0xfd007, "v128", "load8_splat load16_splat load32_splat load64_splat store"],
  [0xfd05c, "v128", "load32_zero load64_zero"],
] as const;

const MEMORY_LANE = [
  [0xfd054, "v128", "load8_lane load16_lane load32_lane load64_lane"],
  [0xfd058, "v128", "store8_lane store16_lane store32_lane store64_lane"],
] as const;

const LANE = [
  [0xfd015, "i8x16 i16x8", "extract_lane_s extract_lane_u replace_lane"],
  [0xfd01b, "i32x4 i64x2 f32x4 f64x2", "extract_lane replace_lane"],
] as const;

/** Text-format name of an instruction without immediates. */
export type OpName = NamesOf<typeof PLAIN> | "unreachable" | "nop" | "select";

/** Text-format name of an instruction whose immediates are an alignment and an offset. */
export type MemoryOpName = NamesOf<typeof MEMORY>;

/** Text-format name of a vector load or store of one lane. */
export type MemoryLaneOpName = NamesOf<typeof MEMORY_LANE>;

/** Text-format name of an instruction that reads or replaces one lane. */
export type LaneOpName = NamesOf<typeof LANE>;

/** How an instruction is encoded: see {@link opcodeOf}. */
export interface Encoding {
  /** One byte below 0x100; else prefix byte · 0x1000 + number. */
  readonly opcode: number;
  /** log2 of the natural alignment in bytes; 0 for an instruction that touches no memory. */
  readonly alignment: number;
}

let encodings: Map<string, Encoding> | undefined;

/** Encoding of the instruction with this text-format name. The tables are parsed at the first call. */
export function opcodeOf(name: OpName | MemoryOpName | MemoryLaneOpName | LaneOpName): Encoding {
  encodings ??= parseTables();
  const encoding = encodings.get(name);
  if (encoding === undefined) throw new Error(`no WebAssembly instruction is called ${name}`);
  return encoding;
}

function parseTables(): Map<string, Encoding> {
  const table = new Map<string, Encoding>();
  const define = (name: string, opcode: number, alignment = 0): void => {
    table.set(name, { opcode, alignment });
  };
  const defineRows = (rows: readonly Row[], touchesMemory: boolean): void => {
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
  };
  defineRows(PLAIN, false);
  defineRows(LANE, false);
  defineRows(MEMORY, true);
  defineRows(MEMORY_LANE, true);
  define("unreachable", 0x00);
  define("nop", 0x01);
  define("select", 0x1b);
  return table;
}

/** log2 of the bytes that the instruction reads or writes, read off its name. */
function naturalAlignment(name: string): number {
  const [, narrow, widened] = /(?:load|store)(\d+)(x)?/.exec(name) ?? [];
  const bits = widened ? 64 : Number(narrow ?? /^(?:.)(32|64|128)/.exec(name)?.[1] ?? 32);
  return Math.log2(bits / 8);
}
