/** Values that are computed once for each key of a map. */

/** What `map` holds for `key`; `compute` gives it the first time. Not for walks that go deep: it doubles their stack. */
export function remembered<K, V>(
  map: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  compute: () => V,
): V {
  let value = map.get(key);
  if (value === undefined) {
    value = compute();
    map.set(key, value);
  }
  return value;
}
