/**
 * Finds out by trial which instructions an engine gets right when it makes one vector of twice the width of two
 * neighbouring ones. That is experimental, so a loop is compiled so only if all its instructions gave the same bits.
 */
import type { OwnBytes } from "../../base/elements.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { type CompileOptions, compileModule } from "./engine-features.ts";
import { ModuleBuilder } from "./module-builder.ts";
import type { OpName } from "./opcodes.ts";

/** Instructions by what they take. They are tried together: a function chains them, so that results are operands too. */
interface Group {
  readonly operands: 1 | 2 | 3;
  readonly names: readonly OpName[];
}

const shifts: readonly OpName[] = ["i32x4.shl", "i32x4.shr_s", "i32x4.shr_u"];

const groups: readonly Group[] = [
  { operands: 1, names: ["v128.not", "f32x4.abs", "f32x4.neg", "f32x4.sqrt"] },
  {
    operands: 1,
    names: ["f32x4.ceil", "f32x4.floor", "f32x4.trunc", "f32x4.nearest"],
  },
  {
    operands: 1,
    names: [
      "i32x4.abs",
      "i32x4.neg",
      "f32x4.convert_i32x4_s",
      "f32x4.convert_i32x4_u",
      "i32x4.trunc_sat_f32x4_s",
      "i32x4.trunc_sat_f32x4_u",
    ],
  },
  { operands: 2, names: ["f32x4.add", "f32x4.sub", "f32x4.mul", "f32x4.div"] },
  { operands: 2, names: ["f32x4.min", "f32x4.max", "f32x4.pmin", "f32x4.pmax"] },
  { operands: 2, names: ["f32x4.eq", "f32x4.ne", "f32x4.lt", "f32x4.gt", "f32x4.le", "f32x4.ge"] },
  { operands: 2, names: ["v128.and", "v128.andnot", "v128.or", "v128.xor"] },
  {
    operands: 2,
    names: ["i32x4.add", "i32x4.sub", "i32x4.mul", "i32x4.min_s", "i32x4.max_s", "i32x4.min_u", "i32x4.max_u"],
  },
  {
    operands: 2,
    names: [
      "i32x4.eq",
      "i32x4.ne",
      "i32x4.lt_s",
      "i32x4.lt_u",
      "i32x4.gt_s",
      "i32x4.gt_u",
      "i32x4.le_s",
      "i32x4.le_u",
      "i32x4.ge_s",
      "i32x4.ge_u",
    ],
  },
  { operands: 3, names: ["f32x4.relaxed_madd", "f32x4.relaxed_nmadd", "v128.bitselect", "i32x4.relaxed_laneselect"] },
  { operands: 1, names: shifts },
];

/** Instructions that no vector of two others comes of, or only by way of the tried ones. */
const untouched: readonly OpName[] = ["f32x4.splat", "i32x4.splat", "v128.any_true"];

/** Vectors of 32 bytes that a trial reads. */
const VECTORS = 24;
/** Bytes of the operands; results follow them. */
const OPERAND_BYTES = (VECTORS + 2) * 32;
const RESULT_BYTES = VECTORS * 10 * 64;

/** Whether the instructions that were tried, with all of their group, gave the same bits. */
const proven = new Map<OpName, boolean>(untouched.map((name) => [name, true]));

const isVector = /^(v128|[if]\d+x\d+)\./;

/**
 * Whether a loop of these instructions may be compiled for wide vectors. Those that no loop before had are tried first, which
 * takes some milliseconds if they are many.
 */
export function mayWiden(instructions: ReadonlySet<OpName>): boolean {
  const vectors = [...instructions].filter((name) => isVector.test(name));
  const wanted = groups.filter(({ names }) => names.some((name) => instructions.has(name)));
  const known = new Set([...untouched, ...wanted.flatMap(({ names }) => names)]);
  if (!vectors.every((name) => known.has(name))) return false;
  tryGroups(wanted.filter(({ names: [first] }) => first !== undefined && !proven.has(first)));
  return vectors.every((name) => proven.get(name));
}

function tryGroups(untried: readonly Group[]): void {
  if (untried.length === 0) return;
  const module = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
  const type = { params: [], results: [] };
  for (const [index, group] of untried.entries()) module.addFunction(`try${index}`, type, (f) => chain(f, group));
  const bytes = module.build();
  const narrow = resultsOf(bytes, untried.length, {});
  // With a custom section more: engines keep compiled code by a module's bytes, whatever the flags.
  const wide = resultsOf(Uint8Array.of(...bytes, 0, 2, 1, 0x77), untried.length, { optimize: true, widen: true });
  for (const [index, { names }] of untried.entries()) {
    const isSame = narrow[index]?.every((bits, k) => bits === wide[index]?.[k]) ?? false;
    for (const name of names) proven.set(name, isSame);
  }
}

/** The results of all functions of a module. */
function resultsOf(bytes: OwnBytes, count: number, options: CompileOptions): readonly Uint32Array[] {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(compileModule(bytes, options), { e: { m: memory } });
  fillOperands(memory.buffer);
  return Array.from({ length: count }, (_, index) => {
    new Uint8Array(memory.buffer, OPERAND_BYTES, RESULT_BYTES).fill(0);
    const run = exports[`try${index}`];
    if (typeof run === "function") run();
    return new Uint32Array(memory.buffer, OPERAND_BYTES, RESULT_BYTES / 4).slice();
  });
}

/**
 * For each pair of vectors: each instruction on what was loaded, and on the result of the one before; all results stored
 * beside each other. A third operand is a mask where the instruction selects.
 */
function chain(f: FunctionBuilder, { names, operands }: Group): void {
  const [from, to] = [f.local("i32"), f.local("i32")];
  const pair = (): readonly [number, number] => [f.local("v128"), f.local("v128")];
  const [a, b, c, last, result] = [pair(), pair(), pair(), pair(), pair()];
  const both = (body: (half: 0 | 1) => void): void => {
    body(0);
    body(1);
  };
  f.i32(OPERAND_BYTES).set(to);
  f.loop(() => {
    for (const [index, target] of [a, b, c].entries())
      both((half) =>
        f
          .get(from)
          .memory("v128.load", index * 32 + half * 16)
          .set(target[half]),
      );
    both((half) => f.get(a[half]).set(last[half]));
    for (const [index, name] of names.entries()) {
      for (const [place, first] of [a, last].entries()) {
        both((half) => {
          f.get(first[half]);
          if (shifts.includes(name)) f.i32(5 * index + 3);
          if (operands > 1) f.get(b[half]);
          if (operands > 2) f.get(c[half]);
          if (name.endsWith("select")) f.get(b[half]).op("f32x4.lt");
          f.op(name).set(result[half]);
        });
        both((half) => f.get(to, result[half]).memory("v128.store", (index * 2 + place) * 32 + half * 16));
      }
      both((half) => f.get(result[half]).set(last[half]));
    }
    f.get(to)
      .i32(names.length * 64)
      .op("i32.add")
      .set(to);
    f.get(from).i32(32).op("i32.add").tee(from);
    f.i32(VECTORS * 32 - 64)
      .op("i32.lt_u")
      .brIf(0);
  });
}

/** Numbers of all sizes, whole ones, and what is special: zeros, infinities, NaN, the least and the greatest. */
function fillOperands(buffer: ArrayBuffer): void {
  const special = [
    0,
    -0,
    1,
    -1,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    2 ** -149,
    2 ** 31,
    -2.5,
  ];
  const floats = new Float32Array(buffer, 0, OPERAND_BYTES / 4);
  floats.forEach((_, i) => {
    const drawn = Math.sin(i * i + 1);
    floats[i] = i % 3 === 0 ? (special[(i / 3) % special.length] ?? 0) : drawn * 2 ** ((i % 41) - 20);
  });
}
