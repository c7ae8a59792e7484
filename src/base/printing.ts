/** How values are printed where people look: Node, Deno and Bun ask a value for it under a common symbol. */

/**
 * Has `console.log` print what `describe` gives, text or something to print, in the place of `target`, or of what inherits from it.
 *
 * @returns `target`
 */
export function printedAs<T extends object>(target: T, describe: (shown: T) => unknown): T {
  return Object.defineProperty(target, Symbol.for("nodejs.util.inspect.custom"), {
    value(this: T): unknown {
      return describe(this);
    },
  });
}
