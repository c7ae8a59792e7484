/** Rules for arguments and options: a value that breaks its rule is refused, because it would spoil results without a word. */
import { shown } from "./describe.ts";
import { ArgumentError } from "./errors.ts";
import { requireOptions } from "./options.ts";

/** Which values an argument may have. */
export interface Rule {
  /** The end of a sentence that begins with the argument's name. */
  readonly is: string;
  readonly admits: (value: unknown) => boolean;
}

/** A rule for each option. */
export type Rules<O> = { readonly [K in keyof O]-?: Rule };

/** What a function checks itself, or needs no check. */
export const anything: Rule = { is: "anything", admits: () => true };

/** For a choice of two. */
export const flag: Rule = { is: "true or false", admits: (value) => typeof value === "boolean" };

/** For a function. */
export const callable: Rule = { is: "a function", admits: (value) => typeof value === "function" };

/** For a name. */
export const text: Rule = { is: "text", admits: (value) => typeof value === "string" };

/** For a number that may be negative. */
export const finite: Rule = { is: "a finite number", admits: Number.isFinite };

/** For a scale or a divisor. */
export const positive: Rule = /* @__PURE__ */ numbers("a positive number", (value) => value > 0);

/** For a weight, which may be absent. */
export const fromZero: Rule = /* @__PURE__ */ numbers("a number from 0", (value) => value >= 0);

/** For a bound that may be none. */
export const bound: Rule = {
  is: "a number from 0, or Infinity",
  admits: (value) => value === Number.POSITIVE_INFINITY || fromZero.admits(value),
};

/** For a part of a whole. */
export const share: Rule = /* @__PURE__ */ numbers("a number in [0, 1]", (value) => value >= 0 && value <= 1);

/** For a part of a whole that leaves some of it. */
export const partialShare: Rule = /* @__PURE__ */ numbers("a number in [0, 1)", (value) => value >= 0 && value < 1);

/** For a place in a list, counted from either end. */
export const place: Rule = { is: "a whole number", admits: Number.isSafeInteger };

/** For a size or a count. */
export const size: Rule = /* @__PURE__ */ wholeFrom(1);

/** For a count that may be none. */
export const count: Rule = /* @__PURE__ */ wholeFrom(0);

/** For a count that may be without end. */
export const limit: Rule = {
  is: "a whole number from 0, or Infinity",
  admits: (value) => value === Number.POSITIVE_INFINITY || count.admits(value),
};

/** For what may be switched off by null. */
export function orNull(rule: Rule): Rule {
  return { is: `${rule.is}, or null`, admits: (value) => value === null || rule.admits(value) };
}

/** For one of a few names. */
export function oneOf(...names: readonly string[]): Rule {
  return { is: `one of ${names.join(", ")}`, admits: (value) => names.some((name) => name === value) };
}

/** For a list of `length` items, of any number if that is null, that follow `rule`. */
export function listOf(length: number | null, rule: Rule): Rule {
  const admits = (value: unknown): boolean =>
    Array.isArray(value) && value.length === (length ?? value.length) && value.every((item) => rule.admits(item));
  return { is: `a list${length === null ? "" : ` of ${length}`}, each ${rule.is}`, admits };
}

/** For a name, or a list of names. */
export const names: Rule = /* @__PURE__ */ perAxis(null, text);

/** For one value that holds for all axes, or a list of one for each. */
export function perAxis(axes: number | null, rule: Rule): Rule {
  const list = listOf(axes, rule);
  const such = axes === null ? "such" : `${axes} such`;
  return { is: `${rule.is}, or a list of ${such}`, admits: (value) => rule.admits(value) || list.admits(value) };
}

/** For a finite number that passes a test. */
export function numbers(is: string, admits: (value: number) => boolean): Rule {
  return { is, admits: (value) => typeof value === "number" && Number.isFinite(value) && admits(value) };
}

function wholeFrom(least: number): Rule {
  return numbers(`a whole number from ${least}`, (value) => Number.isSafeInteger(value) && value >= least);
}

/** Throws unless every value, given by name, follows `rule`. @throws {ArgumentError} naming the operation, the argument and the value */
export function requireValues(operation: string, rule: Rule, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!rule.admits(value)) throw new ArgumentError(operation, `${name} is ${rule.is}, got ${shown(value)}`);
  }
}

/** The options, if there are none but those with a rule, and each follows it or, unless `needed`, is absent. @throws {ArgumentError} */
export function optionsOf<O extends object>(
  operation: string,
  options: O,
  rules: Rules<O>,
  needed: readonly (keyof O)[] = [],
): O {
  requireObject(operation, options, rules);
  requireOptions(operation, options, Object.keys(rules));
  return requireRules(operation, options, rules, needed);
}

/** The same for the constructor of a class: a subclass (`isOwn` is false) may pass options on that it alone knows; they are left out. */
export function constructorOptions<O extends object>(
  operation: string,
  isOwn: boolean,
  options: O,
  rules: Rules<O>,
): O {
  if (isOwn) return optionsOf(operation, options, rules);
  requireObject(operation, options, rules);
  const known = { ...options };
  for (const name in options) if (!Object.hasOwn(rules, name)) Reflect.deleteProperty(known, name);
  return requireRules(operation, known, rules, []);
}

function requireObject(operation: string, options: unknown, rules: object): void {
  if (typeof options === "object" && options !== null) return;
  const names = Object.keys(rules).join(", ");
  throw new ArgumentError(operation, `takes options by name, { ${names} }; got ${shown(options)}`);
}

function requireRules<O extends object>(
  operation: string,
  options: O,
  rules: Rules<O>,
  needed: readonly (keyof O)[],
): O {
  for (const name in rules) {
    const value = options[name];
    if (value !== undefined || needed.includes(name)) requireValues(operation, rules[name], { [name]: value });
  }
  return options;
}
