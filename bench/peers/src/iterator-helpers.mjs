/** jax-js maps and filters iterators, which Node 20 cannot: lists can, and are iterable too. */
const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
for (const name of ["map", "filter"]) {
  if (name in iteratorPrototype) continue;
  Object.defineProperty(iteratorPrototype, name, {
    configurable: true,
    value(change) {
      return [...this][name]((value, index) => change(value, index));
    },
  });
}
