/** jax-js maps and filters iterators, which Node 20 cannot: lists can, and are iterable too. */

/** @typedef {(value: unknown, index: number) => unknown} Callback */

/** @type {Record<string, (values: unknown[], callback: Callback) => unknown[]>} */
const helpers = {
  map: (values, callback) => values.map((value, index) => callback(value, index)),
  filter: (values, callback) => values.filter((value, index) => callback(value, index)),
};
const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
for (const [name, helper] of Object.entries(helpers)) {
  if (name in iteratorPrototype) continue;
  Object.defineProperty(iteratorPrototype, name, {
    configurable: true,
    /** @param {Callback} callback */
    value(callback) {
      return helper([...this], callback);
    },
  });
}
