/** Emits the module of a matrix product with what is fused into it: operands computed as they are packed, results as they are stored. */
import { byteLengthOf } from "../../base/dtype.ts";
import { loadsIn } from "../../compiler/loads.ts";
import { accessScore } from "../../compiler/loop-nest.ts";
import { Dependencies } from "../../compiler/structure.ts";
import type { Axis, Expr } from "../../ir/expr.ts";
import { argOf, Expressions } from "../../ir/expr.ts";
import { affineOf } from "../../ir/index-range.ts";
import type { ContractionKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import type { ExpressionEmitter } from "./expression-emitter.ts";
import { emitGemm } from "./gemm.ts";
import { forUpTo } from "./gemm-loops.ts";
import type { GemmOperand, GemmOutput } from "./gemm-spec.ts";
import { loadType, locateType, storeType, tabulateType } from "./gemm-spec.ts";
import { TILE_ROWS } from "./gemm-tile.ts";
import { tileColumns } from "./gemm-width.ts";
import type { ArgumentLayout, KernelCode, KernelTarget } from "./kernel-code.ts";
import { argumentLayout, emitterFor } from "./kernel-code.ts";
import { loadVector, storeVector } from "./lane-memory.ts";
import { ModuleBuilder } from "./module-builder.ts";
import type { Runs } from "./operand-runs.ts";
import { emitLocate, emitTabulate, isLocatable, runsAlong } from "./operand-runs.ts";

/** Lanes of a fused store: two registers, of which engines may make a wide one. */
const STORE_LANES = 8;

/** Columns of the narrowest tile. */
const NARROW_COLUMNS = 8;

/** The runs in which an operand lies, the axis of its lines, and along which of both runs are contiguous. */
interface FoundRuns {
  readonly runs: Runs;
  readonly line: Axis;
  readonly contiguous: "lane" | "depth";
}

/** Compiles a contraction to a module on the library of matrix products. */
export function emitContraction(kernel: ContractionKernel, target: KernelTarget): KernelCode {
  const module = new ModuleBuilder(target);
  const layout = argumentLayout(kernel.slots.length, kernel.arguments);
  const emitter = new ContractionEmitter(module, kernel, target, layout);
  const { batch, m, n, k } = kernel;
  const { phases, scratchBytes, library } = emitGemm(module, {
    batchLengths: batch.map(({ length }) => length),
    rows: m.length,
    columns: n.length,
    depth: k.length,
    left: emitter.operand(kernel.left, m, "left"),
    right: emitter.operand(kernel.right, n, "right"),
    output: emitter.output(),
    scratchOffset: layout.scratch,
    threadCount: target.threadCount,
    get tileColumns() {
      return tileColumns(target);
    },
  });
  const { instructions } = module;
  return {
    bytes: module.build(),
    phases,
    scratchBytes,
    layout,
    instructions,
    library,
  };
}

class ContractionEmitter {
  readonly #module: ModuleBuilder;
  readonly #kernel: ContractionKernel;
  readonly #target: KernelTarget;
  readonly #layout: ArgumentLayout;
  readonly #e = new Expressions();
  readonly #memo = new Map<Expr, Expr>();
  #nextAxis = 2_000_000;

  constructor(module: ModuleBuilder, kernel: ContractionKernel, target: KernelTarget, layout: ArgumentLayout) {
    this.#module = module;
    this.#kernel = kernel;
    this.#target = target;
    this.#layout = layout;
  }

  /** An operand: float32 at fixed strides or in runs is read where it lies, anything else is computed. */
  operand(original: Expr, lane: Axis, side: "left" | "right"): GemmOperand {
    const expr = this.#import(original);
    const strided = this.#strided(expr, lane);
    if (strided) return strided;
    const found = this.#runsOf(expr, lane);
    // Runs along lanes are as long as there are lanes, or whole panels.
    const fits = (width: number): boolean =>
      found?.contiguous === "depth" ||
      (found !== null && (found.runs.length >= lane.length || found.runs.length % width === 0));
    const isInRuns = fits(side === "left" ? TILE_ROWS : NARROW_COLUMNS);
    if (found && isInRuns && (side === "left" || fits(tileColumns(this.#target)))) return this.#located(expr, found);
    return this.#computed(expr, lane, isInRuns);
  }

  #import(expr: Expr): Expr {
    return this.#e.substitute(expr, new Map(), this.#memo);
  }

  #strided(expr: Expr, lane: Axis): GemmOperand | null {
    if (expr.op !== "load" || expr.dtype !== "float32") return null;
    const strides = this.#stridesOf(argOf(expr, 0));
    if (!strides) return null;
    const { batch, k } = this.#kernel;
    return {
      kind: "strided",
      pointerOffset: expr.slot * 4,
      offset: strides.offset * 4,
      batchStrides: batch.map(({ id }) => (strides.of.get(id) ?? 0) * 4),
      laneStride: (strides.of.get(lane.id) ?? 0) * 4,
      depthStride: (strides.of.get(k.id) ?? 0) * 4,
    };
  }

  /** The elements between neighbours along each axis, if the position is a plain sum of them. */
  #stridesOf(index: Expr): { readonly offset: number; readonly of: ReadonlyMap<number, number> } | null {
    const { terms, offset } = affineOf(index);
    const of = new Map<number, number>();
    for (const [atom, coefficient] of terms) {
      if (atom.op !== "axis") return null;
      of.set(atom.axis.id, coefficient);
    }
    return { offset, of };
  }

  /** The runs in which an operand lies, along the depth or along lanes; null if it does not. */
  #runsOf(expr: Expr, lane: Axis): FoundRuns | null {
    const { k } = this.#kernel;
    const newAxis = (length: number): Axis => ({ id: this.#nextAxis++, length });
    const alongDepth = runsAlong(this.#e, expr, k, newAxis);
    const runs = alongDepth ?? runsAlong(this.#e, expr, lane, newAxis);
    const line = alongDepth ? lane : k;
    return runs && isLocatable(runs, line) ? { runs, line, contiguous: alongDepth ? "depth" : "lane" } : null;
  }

  #located(expr: Expr, { runs, line, contiguous }: FoundRuns): GemmOperand {
    let positions: readonly Expr[] = [];
    const add = (type: FunctionType, body: (f: FunctionBuilder, em: ExpressionEmitter) => void): number =>
      this.#module.addFunction(null, type, (f) => {
        const em = this.#emitter(f);
        this.#bindBatch(f, em);
        body(f, em);
      });
    const locate = add(locateType, (f, em) => {
      positions = emitLocate(f, em, runs, line);
    });
    const tabulate = add(tabulateType, (f, em) => emitTabulate(f, em, positions, line));
    const isShared = this.#isShared(expr);
    return { kind: "located", tabulate, tableCount: positions.length, locate, contiguous, run: runs.length, isShared };
  }

  #isShared(expr: Expr): boolean {
    const batchIds = new Set(this.#kernel.batch.map(({ id }) => id));
    return ![...new Dependencies().freeAxes(expr).keys()].some((id) => batchIds.has(id));
  }

  #computed(expr: Expr, lane: Axis, isInRuns: boolean): GemmOperand {
    const { k } = this.#kernel;
    const score = (axis: Axis): number =>
      loadsIn(expr).reduce((sum, index) => sum + accessScore(this.#e, index, axis), 0);
    const contiguous = score(k) >= score(lane) ? "depth" : "lane";
    const [line, point] = contiguous === "depth" ? [lane, k] : [k, lane];
    const load = this.#module.addFunction(null, loadType, (f) => {
      const em = this.#emitter(f);
      this.#bindBatch(f, em);
      const [lineRange, pointRange] =
        contiguous === "depth"
          ? [
              { begin: 2, end: 3 },
              { begin: 4, end: 5 },
            ]
          : [
              { begin: 4, end: 5 },
              { begin: 2, end: 3 },
            ];
      const row = f.local("i32");
      em.hoist([expr]);
      this.#lines(f, em, line, lineRange, [expr], (counter) => {
        // The line's address, moved back by the first point.
        f.get(6).get(counter, lineRange.begin).op("i32.sub").get(7).op("i32.mul").op("i32.add");
        f.get(pointRange.begin).i32(2).op("i32.shl").op("i32.sub").set(row);
        this.#points(f, em, point, pointRange, 4, [expr], (spelled, at) => {
          const value = this.#e.substitute(expr, spelled);
          const address = this.#advance(f, row, at);
          const registers = em.laneAxis ? em.registers(value) : em.value(value).registers;
          registers.forEach((register, i) => {
            if (em.laneAxis) storeVector(em.ops, "float32", this.#asFloat(em, expr, register), address, i * 16);
            else f.get(address, this.#asFloat(em, expr, register)).memoryLane("v128.store32_lane", 0, 0);
          });
        });
      });
    });
    return { kind: "computed", load, contiguous, isShared: this.#isShared(expr), isInRuns };
  }

  /** Registers of every type that reaches a float32 product hold float32 already. */
  #asFloat(em: ExpressionEmitter, expr: Expr, register: number): number {
    if (expr.dtype === "index" || byteLengthOf(expr.dtype) > 4)
      throw new RangeError("an operand of a float32 product is wider");
    return em.ops.keep(() => em.f.get(register));
  }

  /** Where results go: straight to memory where that is all, through the fused expressions otherwise. */
  output(): GemmOutput {
    const { stores, result, n, m, batch } = this.#kernel;
    const imported = stores.map(({ slot, index, value }) => ({
      slot,
      index: this.#import(index),
      value: this.#import(value),
    }));
    const sum = this.#import(result);
    const [only] = imported;
    const strides = only && this.#stridesOf(only.index);
    if (
      imported.length === 1 &&
      only &&
      strides &&
      only.value === sum &&
      (n.length === 1 || strides.of.get(n.id) === 1)
    ) {
      return {
        kind: "strided",
        pointerOffset: only.slot * 4,
        offset: strides.offset * 4,
        batchStrides: batch.map(({ id }) => (strides.of.get(id) ?? 0) * 4),
        rowStride: (strides.of.get(m.id) ?? 0) * 4,
      };
    }
    const exprs = imported.flatMap(({ index, value }) => [index, value]);
    const store = this.#module.addFunction(null, storeType, (f) => {
      const em = this.#emitter(f);
      this.#bindBatch(f, em);
      const row = f.local("i32");
      em.hoist(exprs);
      this.#lines(f, em, m, { begin: 2, end: 3 }, exprs, (counter) => {
        f.get(6).get(counter, 2).op("i32.sub").get(7).op("i32.mul").op("i32.add");
        f.get(4).i32(2).op("i32.shl").op("i32.sub").set(row);
        this.#points(f, em, n, { begin: 4, end: 5 }, STORE_LANES, exprs, (spelled, at) => {
          const memo = new Map<Expr, Expr>();
          const address = this.#advance(f, row, at);
          const registers = em.laneAxis
            ? Array.from({ length: STORE_LANES / 4 }, (_, i) => loadVector(em.ops, "float32", address, i * 16))
            : [em.ops.keep(() => f.get(address).memory("v128.load32_splat"))];
          em.bindValue(this.#e.substitute(sum, spelled, memo), { registers, isUniform: !em.laneAxis });
          for (const { slot, index, value } of imported) {
            em.store(slot, this.#e.substitute(index, spelled, memo), this.#e.substitute(value, spelled, memo));
          }
        });
      });
    });
    return { kind: "computed", store };
  }

  #emitter(f: FunctionBuilder): ExpressionEmitter {
    return emitterFor(f, { e: this.#e, target: this.#target, layout: this.#layout });
  }

  /** Takes the flat batch in parameter 1 apart. */
  #bindBatch(f: FunctionBuilder, em: ExpressionEmitter): void {
    const { batch } = this.#kernel;
    const rest = f.local("i32");
    f.get(1).set(rest);
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      const own = batch[axis];
      if (!own || own.length === 1) continue;
      const local = f.local("i32");
      f.get(rest).i32(own.length).op("i32.rem_u").set(local);
      f.get(rest).i32(own.length).op("i32.div_u").set(rest);
      em.bindAxis(own, local);
    }
  }

  /** Runs `body` for each point of `axis` in a range of parameters. */
  #lines(
    f: FunctionBuilder,
    em: ExpressionEmitter,
    axis: Axis,
    range: { readonly begin: number; readonly end: number },
    exprs: readonly Expr[],
    body: (counter: number) => void,
  ): void {
    const counter = f.local("i32");
    f.get(range.begin).set(counter);
    forUpTo(f, counter, range.end, 1, () => {
      em.enter();
      em.bindAxis(axis, counter);
      em.hoist(exprs);
      body(counter);
      em.leave();
    });
  }

  /**
   * Runs `body` for the points of `axis` in a range that begins at a multiple of `lanes`: by lanes, then one by one. It
   * receives how the axis is spelled and the local that counts points.
   */
  #points(
    f: FunctionBuilder,
    em: ExpressionEmitter,
    axis: Axis,
    range: { readonly begin: number; readonly end: number },
    lanes: number,
    exprs: readonly Expr[],
    body: (spelled: ReadonlyMap<number, Expr>, at: number) => void,
  ): void {
    const e = this.#e;
    const at = f.local("i32");
    f.get(range.begin).set(at);
    if (axis.length >= lanes) {
      const step: Axis = { id: this.#nextAxis++, length: Math.floor(axis.length / lanes) };
      const lane: Axis = { id: this.#nextAxis++, length: lanes };
      const counter = f.local("i32");
      const end = f.local("i32");
      f.get(range.begin).i32(lanes).op("i32.div_u").set(counter);
      f.get(range.end).i32(lanes).op("i32.div_u").set(end);
      const spelled = new Map([[axis.id, e.add(e.scale(e.axis(step), lanes), e.axis(lane))]]);
      forUpTo(f, counter, end, 1, () => {
        em.enter();
        em.laneAxis = { lane, lanes };
        em.bindAxis(step, counter);
        body(spelled, at);
        em.laneAxis = null;
        em.leave();
        f.get(at).i32(lanes).op("i32.add").set(at);
      });
    }
    forUpTo(f, at, range.end, 1, () => {
      em.enter();
      em.bindAxis(axis, at);
      em.hoist(exprs.filter((expr) => expr.dtype === "index"));
      body(new Map(), at);
      em.leave();
    });
  }

  /** A new local: `base + at · 4`. */
  #advance(f: FunctionBuilder, base: number, at: number): number {
    const address = f.local("i32");
    f.get(base, at).i32(2).op("i32.shl").op("i32.add").set(address);
    return address;
  }
}
