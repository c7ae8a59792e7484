/** Finds the runs in which an operand of a product lies in memory, and emits what locates them: windows, padding, gathers. */
import { Dependencies } from "../../compiler/structure.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { argOf, isConstant } from "../../ir/expr.ts";
import { affineOf } from "../../ir/index-range.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { ExpressionEmitter } from "./expression-emitter.ts";
import type { Push } from "./gemm-emitter.ts";
import { forUpTo } from "./gemm-loops.ts";
import { TABLE_BYTES } from "./gemm-panels.ts";

/**
 * An operand whose elements lie one after the other in runs of `length` along one of its axes: element `length · run + r`
 * of a line is at `position + r` of buffer `slot`, or 0 for the whole run where one of the `conditions` does not hold.
 */
export interface Runs {
  readonly slot: number;
  readonly length: number;
  /** Numbers the runs of a line. */
  readonly run: Axis;
  /** Where a run begins, in elements. */
  readonly position: Expr;
  /** Comparisons of positions. */
  readonly conditions: readonly Expr[];
}

/** Runs shorter than this are not worth locating. */
const leastRun = 4;

/** The runs of a float32 operand along `point`, if there are any; `newAxis` makes axes that nothing else uses. */
export function runsAlong(e: Expressions, operand: Expr, point: Axis, newAxis: (length: number) => Axis): Runs | null {
  const isGuarded = operand.op === "select" && isConstant(argOf(operand, 2), 0);
  const load = isGuarded ? argOf(operand, 1) : operand;
  if (load.op !== "load" || load.dtype !== "float32") return null;
  const conditions = isGuarded ? comparisonsIn(argOf(operand, 0)) : [];
  if (!conditions) return null;
  const lengths = new Set([point.length]);
  for (const expr of [argOf(load, 0), ...conditions]) collectDivisors(expr, point, lengths);
  for (const length of [...lengths].sort((a, b) => b - a)) {
    if (length < leastRun || length > point.length) break;
    const run = newAxis(Math.ceil(point.length / length));
    const within = newAxis(length);
    const spelled = new Map([[point.id, e.add(e.scale(e.axis(run), length), e.axis(within))]]);
    const place = (expr: Expr): Expr => e.substitute(expr, spelled);
    const position = place(argOf(load, 0));
    const atom = e.axis(within);
    const begin = e.sub(position, atom);
    const placed = conditions.map(place);
    if (affineOf(position).terms.get(atom) !== 1 || [begin, ...placed].some((expr) => reads(expr, atom))) continue;
    return { slot: load.slot, length, run, position: begin, conditions: placed };
  }
  return null;
}

/** Whether positions of runs can be computed for four lines of `line` at a time, from what depends on the line alone. */
export function isLocatable({ run, position, conditions }: Runs, line: Axis): boolean {
  const dependencies = new Dependencies();
  const isMixed = (expr: Expr): boolean => {
    const axes = dependencies.freeAxes(expr);
    return axes.has(run.id) && axes.has(line.id);
  };
  const isVector = (expr: Expr): boolean => {
    if (!isMixed(expr)) return true;
    const isSimple = expr.op === "affine" || expr.op === "min" || expr.op === "max" || powerOfTwo(expr) !== null;
    return isSimple && expr.args.every(isVector);
  };
  return [position, ...conditions.flatMap(({ args }) => args)].every(isVector);
}

/** The power of two that an expression divides by, or null. */
function powerOfTwo(expr: Expr): number | null {
  if (expr.op !== "quotient" && expr.op !== "remainder") return null;
  const divisor = argOf(expr, 1);
  return divisor.op === "constant" && Number.isInteger(Math.log2(Number(divisor.value))) ? Number(divisor.value) : null;
}

/**
 * Emits the body of a function of type `locateType`, four lines at a time. Returns what it expects tables of: positions that
 * depend on the line alone.
 */
export function emitLocate(f: FunctionBuilder, em: ExpressionEmitter, runs: Runs, line: Axis): readonly Expr[] {
  const [lineCount, run, first, tables, table, zeros] = [2, 3, 4, 5, 6, 7];
  em.bindAxis(runs.run, run);
  const positions = new LinePositions(f, em, { run: runs.run, line, tables });
  const base = positions.splat(() => {
    f.get(0).memory("i32.load", runs.slot * 4);
    f.get(first).i32(2).op("i32.shl").op("i32.add");
  });
  const position = positions.prepare(em.e.scale(runs.position, 4));
  const conditions = runs.conditions.map(({ op, args }) => ({ op, sides: args.map((arg) => positions.prepare(arg)) }));
  const otherwise = positions.splat(() => f.get(zeros));
  const end = f.local("i32");
  f.get(tables, lineCount).i32(2).op("i32.shl").op("i32.add").set(end);
  forUpTo(f, tables, end, 16, () => {
    f.get(table);
    position();
    base();
    f.op("i32x4.add");
    if (conditions.length > 0) {
      otherwise();
      for (const [k, { op, sides }] of conditions.entries()) {
        for (const push of sides) push();
        f.op(op === "le" ? "i32x4.le_s" : op === "lt" ? "i32x4.lt_s" : op === "eq" ? "i32x4.eq" : "i32x4.ne");
        if (k > 0) f.op("v128.and");
      }
      f.op("v128.bitselect");
    }
    f.memory("v128.store").get(table).i32(16).op("i32.add").set(table);
  });
  return positions.tabulated;
}

/** Positions of four lines of a run at a time: what is the same for all lines, or for all runs, is computed ahead. */
class LinePositions {
  /** What is read from tables, one after the other: it depends on the line alone. */
  readonly tabulated: Expr[] = [];
  readonly #f: FunctionBuilder;
  readonly #em: ExpressionEmitter;
  readonly #run: Axis;
  readonly #line: Axis;
  /** Local with the place in the first table. */
  readonly #tables: number;

  constructor(
    f: FunctionBuilder,
    em: ExpressionEmitter,
    place: { readonly run: Axis; readonly line: Axis; readonly tables: number },
  ) {
    this.#f = f;
    this.#em = em;
    this.#run = place.run;
    this.#line = place.line;
    this.#tables = place.tables;
  }

  /** Emits what is the same for all lines; the result pushes the four positions. */
  prepare(expr: Expr): Push {
    const f = this.#f;
    if (!this.#depends(expr, this.#line)) return this.splat(() => f.get(this.#em.position(expr)));
    if (!this.#depends(expr, this.#run)) return this.#tabulate(expr);
    if (expr.op === "affine") return this.#prepareSum(expr);
    const divisor = powerOfTwo(expr);
    const sides = (divisor === null ? expr.args : expr.args.slice(0, 1)).map((side) => this.prepare(side));
    return () => {
      for (const push of sides) push();
      if (divisor === null) f.op(expr.op === "min" ? "i32x4.min_s" : "i32x4.max_s");
      else if (expr.op === "quotient") f.i32(Math.log2(divisor)).op("i32x4.shr_s");
      else f.splatI32(divisor - 1).op("v128.and");
    };
  }

  /** Keeps four copies of what `push` pushes; the result pushes them. */
  splat(push: Push): Push {
    const register = this.#em.ops.keep(() => {
      push();
      this.#f.op("i32x4.splat");
    });
    return () => this.#f.get(register);
  }

  #tabulate(expr: Expr): Push {
    const known = this.tabulated.indexOf(expr);
    const index = known < 0 ? this.tabulated.push(expr) - 1 : known;
    return () => this.#f.get(this.#tables).memory("v128.load", index * TABLE_BYTES);
  }

  /** A sum: of terms that depend on line and run, of all that depend on the line alone, and of all others. */
  #prepareSum(expr: Expr): Push {
    const { e } = this.#em;
    const f = this.#f;
    const { terms, offset } = affineOf(expr);
    let [ofLine, others] = [e.index(0), e.index(offset)];
    const pushes: Push[] = [];
    for (const [atom, coefficient] of terms) {
      if (!this.#depends(atom, this.#line)) others = e.add(others, e.scale(atom, coefficient));
      else if (!this.#depends(atom, this.#run)) ofLine = e.add(ofLine, e.scale(atom, coefficient));
      else {
        const push = this.prepare(atom);
        pushes.push(() => {
          push();
          if (coefficient !== 1) f.splatI32(coefficient).op("i32x4.mul");
        });
      }
    }
    for (const part of [ofLine, others]) if (part !== e.index(0)) pushes.push(this.prepare(part));
    return () => {
      for (const [k, push] of pushes.entries()) {
        push();
        if (k > 0) f.op("i32x4.add");
      }
    };
  }

  #depends(expr: Expr, axis: Axis): boolean {
    return this.#em.dependencies.freeAxes(expr).has(axis.id);
  }
}

/** Emits the body of a function of type `tabulateType`: the positions that {@link emitLocate} reads, a table each. */
export function emitTabulate(f: FunctionBuilder, em: ExpressionEmitter, positions: readonly Expr[], line: Axis): void {
  const [lineBegin, lineEnd, tables] = [2, 3, 4];
  em.hoist(positions);
  const counter = f.local("i32");
  f.get(lineBegin).set(counter);
  forUpTo(f, counter, lineEnd, 1, () => {
    em.enter();
    em.bindAxis(line, counter);
    for (const [k, expr] of positions.entries()) f.get(tables, em.position(expr)).memory("i32.store", k * TABLE_BYTES);
    f.get(tables).i32(4).op("i32.add").set(tables);
    em.leave();
  });
}

/** The comparisons that a condition is the conjunction of, if it is one and all compare positions. */
function comparisonsIn(condition: Expr): Expr[] | null {
  if (condition.op === "and") {
    const [left, right] = [comparisonsIn(argOf(condition, 0)), comparisonsIn(argOf(condition, 1))];
    return left && right && [...left, ...right];
  }
  const isComparison = condition.op === "le" || condition.op === "lt" || condition.op === "eq" || condition.op === "ne";
  return isComparison && argOf(condition, 0).dtype === "index" ? [condition] : null;
}

/** Divisors of positions along `point`: where its digits change. */
function collectDivisors(expr: Expr, point: Axis, into: Set<number>): void {
  const divisor = expr.op === "quotient" || expr.op === "remainder" ? argOf(expr, 1) : null;
  const dividend = divisor && argOf(expr, 0);
  if (divisor?.op === "constant" && dividend?.op === "axis" && dividend.axis.id === point.id)
    into.add(Number(divisor.value));
  for (const arg of expr.args) collectDivisors(arg, point, into);
}

function reads(expr: Expr, atom: Expr): boolean {
  return expr === atom || expr.args.some((arg) => reads(arg, atom));
}
