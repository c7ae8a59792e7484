/**
 * Finds out by trial which instructions an engine gets right when it makes one vector of twice the width of two
 * neighbouring ones. That is experimental, so a loop is compiled so only if all its instructions gave the same bits.
 */
import { type FunctionBuilder, ModuleBuilder } from "./assembler.ts";
import { compileModule } from "./engine-features.ts";
import type { OpName } from "./opcodes.ts";

/** Instructions in groups by what they take; each group's functions chain them, so that results are operands too. */
const groups: readonly { readonly operands: 1 | 2 | 3; readonly names: readonly OpName[] }[] = [
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
];

const shifts: readonly OpName[] = ["i32x4.shl", "i32x4.shr_s", "i32x4.shr_u"];

/** Instructions that no vector of two others comes of, or only by way of the tried ones. */
const untouched: readonly OpName[] = ["f32x4.splat", "i32x4.splat", "v128.any_true"];

/** Vectors of 32 bytes that a trial reads. */
const VECTORS = 24;
/** Bytes of the operands; results follow them. */
const OPERAND_BYTES = (VECTORS + 2) * 32;
const RESULT_BYTES = VECTORS * 10 * 64;

let proven: ReadonlySet<string> | undefined;

const isVector = /^(v128|[if]\d+x\d+)\./;

/** Whether a loop of these instructions may be compiled for wide vectors. The first call tries them all, in some 10 ms. */
export function mayWiden(instructions: ReadonlySet<OpName>): boolean {
  proven ??= findProven();
  for (const name of instructions) if (isVector.test(name) && !proven.has(name)) return false;
  return true;
}

function findProven(): ReadonlySet<string> {
  const found = new Set<string>(untouched);
  const functions: readonly (readonly OpName[])[] = [...groups.map(({ names }) => names), shifts];
  const [narrow = [], wide = []] = [false, true].map(runTrial);
  functions.forEach((names, index) => {
    const [expected, actual] = [narrow[index], wide[index]];
    if (expected?.every((bits, k) => bits === actual?.[k])) for (const name of names) found.add(name);
  });
  return found;
}

/** The results of all functions, compiled for wide vectors or not. */
function runTrial(widen: boolean): readonly Uint32Array[] {
  const module = new ModuleBuilder({ shared: false, minimumPages: 1, maximumPages: 1 });
  // Different names: engines keep compiled code by a module's bytes, whatever the flags.
  const prefix = widen ? "wide" : "narrow";
  const type = { params: [], results: [] };
  for (const [index, { operands, names }] of groups.entries())
    module.addFunction(`${prefix}${index}`, type, (f) => chain(f, names, operands));
  module.addFunction(`${prefix}${groups.length}`, type, (f) => chain(f, shifts, 1));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { exports } = new WebAssembly.Instance(compileModule(module.build(), { optimize: widen, widen }), {
    e: { m: memory },
  });
  fillOperands(memory.buffer);
  return Array.from({ length: groups.length + 1 }, (_, index) => {
    new Uint8Array(memory.buffer, OPERAND_BYTES, RESULT_BYTES).fill(0);
    const run = exports[`${prefix}${index}`];
    if (typeof run === "function") run();
    return new Uint32Array(memory.buffer, OPERAND_BYTES, RESULT_BYTES / 4).slice();
  });
}

/**
 * For each pair of vectors: each instruction on what was loaded, and on the result of the one before; all results stored
 * beside each other. A third operand is a mask where the instruction selects.
 */
function chain(f: FunctionBuilder, names: readonly OpName[], operands: 1 | 2 | 3): void {
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
