/** Runs one recorded case through our functions and says how the result differs from MLX's. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { call, functionOf, isArray } from "./calls.ts";
import type { Allowance, Elements } from "./compare.ts";
import { difference } from "./compare.ts";
import type { Argument } from "./decode.ts";
import { decode, decodeEach, elementsOf, inputOf, isDictionary, isEncodedArray, isList, isSpelled } from "./decode.ts";
import { camel, replayClip, replayLayer, replayOptimizer, replaySchedule } from "./modules.ts";
import type { Encoded, OracleCase, Shard } from "./recorded-shards.ts";
import { ulpOf, zerosAreEqual } from "./tolerances.ts";

/** What differs, or null. A call that throws is a difference. */
export async function replay(shard: Shard, recorded: OracleCase): Promise<string | null> {
  try {
    return await compareTree(await run(shard, recorded), recorded.out, recorded, "");
  } catch (error) {
    return `threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  }
}

async function run(shard: Shard, recorded: OracleCase): Promise<unknown> {
  const { f, vjp, jvp, vmap, valueAndGrad, property } = recorded;
  if (f.startsWith("layer.")) return replayLayer(shard, recorded);
  if (f === "optim.clipGradNorm") return replayClip(shard, recorded);
  if (f.startsWith("optim."))
    return recorded.args.length > 0 ? replaySchedule(shard, recorded) : replayOptimizer(shard, recorded);
  const args = recorded.args.map((value) => decode(shard, value));
  const options = decodeEach(shard, recorded.options ?? {});
  if (f === "program.randomSequence") return replaySequence(args);
  if (f === "toString") return replayText(args, recorded.of);
  const plain = (...given: readonly Argument[]): MLXArray => single(call(f, given, options));
  if (vjp) {
    const of = (...primals: MLXArray[]): MLXArray => plain(...replaced(args, vjp.wrt, primals));
    return mx.vjp(of, arraysOf(vjp.wrt.map((i) => args[i])), [inputOf(shard, vjp.cotangent)])[1];
  }
  if (jvp)
    return mx.jvp(
      plain,
      arraysOf(args),
      jvp.tangents.map((t) => inputOf(shard, t)),
    )[1];
  if (vmap) {
    const { axis, ...others } = options;
    const rest = axis === undefined ? [] : [axis];
    const one = (...given: readonly Argument[]): MLXArray => single(call(f, [...given, ...rest], others));
    return mx.vmap(one, vmap)(...arraysOf(args));
  }
  if (valueAndGrad) {
    const [first = 0] = valueAndGrad;
    const positions = valueAndGrad.length === 1 ? first : valueAndGrad;
    const of = (...given: MLXArray[]): MLXArray => plain(...given);
    return mx.valueAndGrad(of, positions)(...arraysOf(args));
  }
  const out = call(f, args, options);
  return property ? normalized(property, args, out) : out;
}

/** Compares values with what was recorded, lists and dictionaries part by part. */
async function compareTree(
  got: unknown,
  expected: Encoded,
  recorded: OracleCase,
  path: string,
): Promise<string | null> {
  if (isEncodedArray(expected)) {
    const value = typeof got === "number" || typeof got === "boolean" ? mx.array(got, expected.d) : got;
    if (!isArray(value)) return `${path} is ${describeKind(got)}, expected ${expected.d}[${expected.s}]`;
    const exact = recorded.exact ? elementsOf(recorded.exact) : null;
    const found = difference(await read(value), elementsOf(expected), exact, allowanceOf(recorded, expected.d));
    return found === null ? null : `${path}${found}`;
  }
  if (isList(expected)) {
    const list: readonly unknown[] | null = Array.isArray(got) ? got : isArray(got) ? [got] : null;
    if (list === null || list.length !== expected.length)
      return `${path} is ${describeKind(got)}, expected a list of ${expected.length}`;
    for (const [i, part] of expected.entries()) {
      const found = await compareTree(list[i], part, recorded, `${path}(${i}) `);
      if (found !== null) return found;
    }
    return null;
  }
  if (isDictionary(expected)) {
    for (const [name, part] of Object.entries(expected.dict)) {
      const found = await compareTree(member(got, camel(name)), part, recorded, `${path}${name} `);
      if (found !== null) return found;
    }
    return null;
  }
  if (isSpelled(expected))
    return String(got) === expected.n ? null : `${path} expected ${expected.n} got ${String(got)}`;
  const value = isArray(got) ? await got.item() : got;
  return value === expected ? null : `${path}expected ${JSON.stringify(expected)} got ${JSON.stringify(value)}`;
}

function allowanceOf(recorded: OracleCase, dtype: Elements["dtype"]): Allowance {
  const ulp = Math.max(recorded.ulp ?? 0, ulpOf(recorded.f, dtype));
  const isTransformed = Boolean(recorded.vjp ?? recorded.jvp ?? recorded.vmap ?? recorded.valueAndGrad);
  return { ulp, tolerance: recorded.tolerance ?? 0, anyZero: isTransformed || zerosAreEqual.has(recorded.f) };
}

async function read(x: MLXArray): Promise<Elements> {
  return { dtype: x.dtype, shape: x.shape, data: (await x.view()).slice() };
}

/** What MLX leaves free is brought to one order: a partition's two sides, the order of topK. */
async function normalized(property: string, args: readonly Argument[], out: unknown): Promise<MLXArray> {
  const [x, middle, axis] = args;
  if (!isArray(x) || typeof middle !== "number" || typeof axis !== "number") throw new Error("not a partition");
  const values = property === "argPartition" ? mx.takeAlongAxis(x, single(out), axis) : single(out);
  if (property === "sorted") return mx.sort(values, axis);
  const [low, high] = mx.split(values, [middle], axis);
  if (low === undefined || high === undefined) throw new Error("split gave fewer than two parts");
  return mx.concatenate([mx.sort(low, axis), mx.sort(high, axis)], axis);
}

/** Draws from the global state in the recorded order. */
function replaySequence([seed, calls]: readonly Argument[]): unknown {
  if (typeof seed !== "number" || !Array.isArray(calls)) throw new Error("not a sequence");
  mx.random.seed(seed);
  return calls.map(([name, args, options]) => call(name, args, options));
}

async function replayText([value]: readonly Argument[], of: string | undefined): Promise<string> {
  const array = of === undefined ? value : Reflect.apply(functionOf(of), undefined, [value]);
  await mx.evaluate(array);
  return String(array);
}

function replaced(args: readonly Argument[], positions: readonly number[], primals: readonly MLXArray[]): Argument[] {
  const full = [...args];
  positions.forEach((position, i) => {
    full[position] = primals[i] ?? null;
  });
  return full;
}

function arraysOf(values: readonly unknown[]): MLXArray[] {
  return values.map(single);
}

function single(value: unknown): MLXArray {
  if (!isArray(value)) throw new Error(`${describeKind(value)} where an array is needed`);
  return value;
}

/** What lies at a dotted path. */
function member(value: unknown, path: string): unknown {
  return path.split(".").reduce((part, name) => {
    if (typeof part !== "object" || part === null) throw new Error(`no ${path} in ${describeKind(value)}`);
    return Reflect.get(part, name);
  }, value);
}

function describeKind(value: unknown): string {
  return Array.isArray(value) ? `a list of ${value.length}` : value === null ? "null" : typeof value;
}
