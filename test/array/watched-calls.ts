/** The calls that the entries of the table of operations make, to be made again with other arguments. */
import * as mx from "mlx-ts";
import type { OperationCall } from "./operation-calls.ts";
import { callingInstead } from "./operation-calls.ts";

/** A call as the table of operations makes it. */
export interface Call {
  readonly fn: unknown;
  readonly self?: unknown;
  readonly args: readonly unknown[];
}

/** Runs a call with other arguments. */
export function run({ fn, self }: Call, args: readonly unknown[]): unknown {
  if (typeof fn !== "function") throw new Error("not a function");
  return Reflect.apply(fn, self, args);
}

/** The calls of the library's functions that an entry of the table makes. */
export function callsOf(entry: OperationCall): readonly Call[] {
  const calls: Call[] = [];
  const watched = (target: object): typeof mx =>
    Object(
      Object.fromEntries(
        Object.entries(target).map(([name, member]) => {
          if (["fast", "linalg", "random"].includes(name)) return [name, watched(member)];
          if (typeof member !== "function") return [name, member];
          return [
            name,
            (...args: readonly unknown[]) => run(calls[calls.push({ fn: member, args }) - 1] ?? missing(), args),
          ];
        }),
      ),
    );
  callingInstead(watched(mx), () => void entry({}));
  return calls;
}

/** The calls of the method `name` that an entry of the table makes. */
export function methodCallsOf(name: string, entry: OperationCall): readonly Call[] {
  const calls: Call[] = [];
  const own = Object.getOwnPropertyDescriptor(mx.MLXArray.prototype, name) ?? missing();
  const value = function (this: mx.MLXArray, ...args: readonly unknown[]): unknown {
    return run(calls[calls.push({ fn: own.value, self: this, args }) - 1] ?? missing(), args);
  };
  Object.defineProperty(mx.MLXArray.prototype, name, { ...own, value });
  try {
    entry({});
  } finally {
    Object.defineProperty(mx.MLXArray.prototype, name, own);
  }
  return calls;
}

/** Stands where something is sure to be. */
export function missing(): never {
  throw new Error("missing");
}
