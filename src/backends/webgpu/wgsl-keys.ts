/** WGSL functions between floats and integers that are in the same order. */
/** Keys of floats, NaN above all: texts by name, see `wgsl-library.ts`. */
export const keyFunctions: Readonly<Record<string, string>> = {
  // In which -0 comes before 0.
  sort_key: `
fn sort_key(x: f32) -> i32 {
  let bits = bitcast<i32>(x);
  return select(bits ^ ((bits >> 31u) & 0x7fffffff), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}`,

  // In which they are equal.
  order_key: `
fn order_key(x: f32) -> i32 {
  return select(sort_key(x), 0, (bitcast<u32>(x) << 1u) == 0u);
}`,

  // What has that sort_key.
  of_sort_key: `
fn of_sort_key(key: i32) -> f32 {
  return bitcast<f32>(key ^ ((key >> 31u) & 0x7fffffff));
}`,
};
