/** Instances that can be called: what makes `model(x)` run `model.forward(x)`. Knows nothing of parameters. */
import { MLXError } from "../base/errors.ts";

/** An object whose call runs its `forward` method, with the types of that method. */
export interface CallableInstance {
  (...args: Parameters<this["forward"]>): ReturnType<this["forward"]>;
  /** What a call computes. */
  forward(...args: never[]): unknown;
}

/** Constructs a function with the prototype of the class that is made; fields of that class are then set up on it. */
function ForwardingFunction(): object {
  const instance = (...args: unknown[]): unknown => {
    const forward: unknown = Reflect.get(instance, "forward");
    if (typeof forward !== "function")
      throw new MLXError(new.target.name, "has no forward(…): say there what a call computes");
    try {
      return Reflect.apply(forward, instance, args);
    } catch (error) {
      if (error instanceof MLXError) addPlace(error, instance);
      throw error;
    }
  };
  // A function owns `length` and `name`, which would be in the way of fields called so.
  Reflect.deleteProperty(instance, "length");
  Reflect.deleteProperty(instance, "name");
  return Object.setPrototypeOf(instance, new.target.prototype);
}

/** The class to extend for callable instances; `this` in its subclasses is a function with their prototype. */
export const Callable: abstract new () => CallableInstance = /* @__PURE__ */ asClass(ForwardingFunction);

/** Says in the error which instance was called: a line for each, from the innermost out. */
function addPlace(error: MLXError, instance: object): void {
  const { message, stack } = error;
  error.message += `\n  in ${placeOf(instance)}`;
  // Engines write the message into the stack when the error is made, and print that.
  if (stack) error.stack = stack.replace(message, () => error.message);
}

function placeOf(instance: object): string {
  const describe: unknown = Reflect.get(instance, "describeExtra");
  const extra: unknown = typeof describe === "function" ? Reflect.apply(describe, instance, []) : "";
  return `${instance.constructor.name}(${String(extra)})`;
}

function asClass(made: unknown): abstract new () => CallableInstance {
  if (!isCallableClass(made)) throw new MLXError("Callable", "a class is a function");
  return made;
}

function isCallableClass(value: unknown): value is abstract new () => CallableInstance {
  return typeof value === "function";
}
