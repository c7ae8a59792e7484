/** Replays modules with given parameters, optimizers over given gradients, schedules and gradient clipping. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { Argument } from "./decode.ts";
import { decode, decodeEach } from "./decode.ts";
import type { OracleCase, Shard } from "./recorded-shards.ts";

/** What `layer.*` gives: output, state after the call, and the loss Σ output² with its gradients. */
export function replayLayer(shard: Shard, recorded: OracleCase): unknown {
  const module = construct(nn, recorded.f.replace("layer.", ""), [
    ...decodeAll(shard, recorded),
    ...optionsOf(shard, recorded),
  ]);
  if (!(module instanceof nn.Module)) throw new Error(`${recorded.f} is no module`);
  const given = Object.entries(decodeEach(shard, recorded.parameters ?? {})).map(
    ([path, value]): [string, Argument] => [camel(path), value],
  );
  module.update(nestedTree(given));
  module.train(recorded.training ?? true);
  const inputs = (recorded.inputs ?? []).map((input) => decode(shard, input));
  const forward = (): unknown => Reflect.apply(module.forward, module, inputs);
  const output = forward();
  const parameters = Object.fromEntries(Object.entries(module.parameters()));
  const after = Object.fromEntries(Object.entries(parameters).filter(([name]) => name.startsWith("running")));
  module.update(nestedTree(given));
  const loss = (): MLXArray => squares(forward());
  const [value, gradients] = wantsGradients(recorded) ? nn.valueAndGrad(module, loss)(module) : [null, null];
  return { output, after, loss: value, gradients };
}

/** The parameters after each step of `optim.*`. */
export function replayOptimizer(shard: Shard, recorded: OracleCase): unknown {
  const { learningRate, ...rest } = recorded.options ?? {};
  const given: unknown = learningRate;
  const rate = isRecord(given) ? scheduleOf(given.schedule) : given;
  const options = decodeEach(shard, rest);
  const optimizer = construct(optim, recorded.f.replace("optim.", ""), [{ ...options, learningRate: rate }]);
  if (!(optimizer instanceof optim.Optimizer)) throw new Error(`${recorded.f} is no optimizer`);
  let current: unknown = decodeEach(shard, recorded.parameters ?? {});
  return (recorded.steps ?? []).map((gradients) => {
    if (typeof gradients === "number") throw new Error("a step of an optimizer is its gradients");
    current = Reflect.apply(Reflect.get(optimizer, "applyGradients"), optimizer, [
      decodeEach(shard, gradients),
      current,
    ]);
    return current;
  });
}

/** The value of a schedule at each step. */
export function replaySchedule(shard: Shard, recorded: OracleCase): unknown {
  const schedule = scheduleOf([recorded.f.replace("optim.", ""), recorded.args.map((value) => decode(shard, value))]);
  return (recorded.steps ?? []).map((step) => Reflect.apply(schedule, undefined, [mx.array(Number(step), "int32")]));
}

/** `clipGradNorm` of recorded gradients. */
export function replayClip(shard: Shard, recorded: OracleCase): unknown {
  return Reflect.apply(optim.clipGradNorm, undefined, decodeAll(shard, recorded));
}

/** The tree whose leaves lie at these paths (`layers.0.weight`). */
function nestedTree(leaves: readonly (readonly [string, Argument])[]): object {
  const tree = leaves.length === 0 ? {} : mx.treeUnflatten(leaves);
  if (typeof tree !== "object" || tree === null) throw new Error("parameters have names");
  return tree;
}

/** A recorded name as ours: `running_mean` is `runningMean`. */
export function camel(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function scheduleOf(description: unknown): CallableFunction {
  if (!Array.isArray(description)) throw new Error("a schedule is [name, arguments]");
  const [name, args]: unknown[] = description;
  const make: unknown = Reflect.get(optim, String(name));
  if (typeof make !== "function" || !Array.isArray(args)) throw new Error(`${String(name)} is no schedule of ours`);
  const made: unknown = Reflect.apply(
    make,
    undefined,
    name === "joinSchedules" ? [args[0].map(scheduleOf), args[1]] : args,
  );
  if (typeof made !== "function") throw new Error(`${String(name)} gives no function`);
  return made;
}

function construct(owner: object, name: string, args: readonly unknown[]): object {
  const found: unknown = Reflect.get(owner, name);
  if (typeof found !== "function") throw new Error(`${name} is no class of ours`);
  const made: object = Reflect.construct(found, args);
  return made;
}

function decodeAll(shard: Shard, recorded: OracleCase): Argument[] {
  return recorded.args.map((value) => decode(shard, value));
}

function optionsOf(shard: Shard, recorded: OracleCase): unknown[] {
  const options = decodeEach(shard, recorded.options ?? {});
  return Object.keys(options).length > 0 ? [options] : [];
}

function wantsGradients({ out }: OracleCase): boolean {
  return typeof out === "object" && out !== null && "dict" in out && "gradients" in out.dict;
}

function squares(output: unknown): MLXArray {
  if (output instanceof mx.MLXArray) return mx.sum(mx.square(output));
  if (!Array.isArray(output)) throw new Error("a module gives an array or a list of arrays");
  return output.map(squares).reduce((a, b) => mx.add(a, b));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof mx.MLXArray);
}
