/** The WebAssembly instructions that loops over floating-point numbers do without; see `opcodes.ts`. */
import { defineRows } from "./opcodes.ts";

const plain = [
  [0x50, "i64", "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0x5b, "f32 f64", "eq ne lt gt le ge"],
  [0x7c, "i64", "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u"],
  [0x92, "f32", "add sub mul"],
  [0xa0, "f64", "add sub mul"],
  [0xaa, "i32", "trunc_f64_s"],
  [0xb6, "f32", "demote_f64"],
  [0xb7, "f64", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32"],
  [0xfc006, "i64", "trunc_sat_f64_s trunc_sat_f64_u"],
  [0xfd00f, "i8x16 i16x8", "splat"],
  [0xfd012, "i64x2 f32x4 f64x2", "splat"],
  [0xfd037, "i32x4", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0xfd053, "v128", "any_true"],
  [0xfd066, "i8x16", "narrow_i16x8_u"],
  [0xfd086, "i16x8", "narrow_i32x4_u"],
  [0xfd087, "i16x8", "extend_low_i8x16_s _ extend_low_i8x16_u"],
  [0xfd0a0, "i32x4", "abs neg"],
  [0xfd0a7, "i32x4", "extend_low_i16x8_s _ extend_low_i16x8_u"],
  [0xfd0ab, "i32x4", "shl shr_s shr_u add _ _ sub _ _ _ mul min_s min_u max_s max_u"],
  [0xfd0c0, "i64x2", "abs neg"],
  [0xfd0c7, "i64x2", "extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u"],
  [0xfd0cb, "i64x2", "shl shr_s shr_u add _ _ sub _ _ _ mul eq ne lt_s gt_s le_s ge_s"],
  [0xfd0f8, "i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u"],
  [0xfd0fa, "f32x4", "convert_i32x4_s convert_i32x4_u"],
  [0xfd0fc, "i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero"],
  [0xfd0fe, "f64x2", "convert_low_i32x4_s convert_low_i32x4_u"],
] as const;

const memory = [
  [0x29, "i64 f32 f64", "load"],
  [0x2c, "i32", "load8_s load8_u load16_s load16_u"],
  [0x36, "i32 i64 f32 f64", "store"],
  [0x3a, "i32", "store8 store16"],
  [0xfd001, "v128", "load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u load8_splat load16_splat"],
  [0xfd05c, "v128", "load32_zero load64_zero"],
] as const;

const memoryLane = [
  [0xfd054, "v128", "load8_lane load16_lane load32_lane load64_lane"],
  [0xfd058, "v128", "store8_lane store16_lane"],
] as const;

const lane = [
  [0xfd015, "i8x16 i16x8", "extract_lane_s extract_lane_u replace_lane"],
  [0xfd01c, "i32x4", "replace_lane"],
  [0xfd01d, "i64x2 f32x4 f64x2", "extract_lane replace_lane"],
] as const;

/** The instructions by the form of what they take. */
export interface OtherInstructions {
  readonly plain: typeof plain;
  readonly memory: typeof memory;
  readonly memoryLane: typeof memoryLane;
  readonly lane: typeof lane;
}

defineRows([...plain, ...lane], false);
defineRows([...memory, ...memoryLane], true);
