/** The keys under which objects are disposed at the end of a `using` block, also where the engine has no `using` yet. */

/** For `using`. */
export const disposeKey: symbol = Symbol.dispose ?? Symbol.for("Symbol.dispose");

/** For `await using`. */
export const asyncDisposeKey: symbol = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
