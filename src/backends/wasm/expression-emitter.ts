/** Emits expressions into a function: values in registers of lanes, positions in i32 locals. Knows nothing of how loops are chosen. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import { Dependencies } from "../../compiler/structure.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { argOf, elementType } from "../../ir/expr.ts";
import { affineOf, rangeOf } from "../../ir/index-range.ts";
import { isComparison, isUnary } from "../../ir/instruction.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { loadSplat, loadVector, pushAddress, storeLane, storeVector } from "./lane-memory.ts";
import type { Target } from "./lane-ops.ts";
import { LaneOps, lanesPerRegister } from "./lane-ops.ts";

/** A value: one register with all lanes equal, or a register for each run of lanes. */
export interface LaneValue {
  readonly registers: readonly number[];
  readonly isUniform: boolean;
}

interface Scope {
  readonly values: Map<Expr, LaneValue>;
  readonly positions: Map<Expr, number>;
  /** Axes whose counters are set, and what they are. */
  readonly axes: Map<number, number>;
}

/** How positions along the vector axis are spelled: `lanes · step + lane`. */
export interface LaneAxis {
  readonly lane: Axis;
  readonly lanes: number;
}

/** Emits expressions of one function. */
export class ExpressionEmitter {
  readonly f: FunctionBuilder;
  readonly e: Expressions;
  readonly ops: LaneOps;
  readonly dependencies: Dependencies = new Dependencies();
  /** The vector axis in force, if any. */
  laneAxis: LaneAxis | null = null;
  readonly #pointers: (slot: number) => number;
  readonly #arguments: (slot: number, dtype: Dtype) => number;
  readonly #scopes: Scope[] = [];
  readonly #laneDependent = new Map<Expr, boolean>();

  /** `pointers` and `arguments` give the locals of buffer addresses and lifted constants. */
  constructor(
    f: FunctionBuilder,
    e: Expressions,
    target: Target,
    sources: {
      readonly pointers: (slot: number) => number;
      readonly arguments: (slot: number, dtype: Dtype) => number;
    },
  ) {
    this.f = f;
    this.e = e;
    this.ops = new LaneOps(f, target);
    this.#pointers = sources.pointers;
    this.#arguments = sources.arguments;
    this.enter();
  }

  /** Opens a scope: what is emitted in it is forgotten at its end. */
  enter(): void {
    this.#scopes.push({ values: new Map(), positions: new Map(), axes: new Map() });
  }

  leave(): void {
    this.#scopes.pop();
  }

  /** Declares the counter of `axis`, valid in this scope. */
  bindAxis(axis: Axis, local: number): void {
    this.#scope.axes.set(axis.id, local);
  }

  /** Declares the value of `expr`, valid in this scope. */
  bindValue(expr: Expr, value: LaneValue): void {
    this.#scope.values.set(expr, value);
  }

  /** Whether `expr` differs between lanes. */
  variesByLane(expr: Expr): boolean {
    const bound = this.#lookupValue(expr);
    if (bound) return !bound.isUniform;
    const { laneAxis } = this;
    if (!laneAxis) return expr.op !== "constant" && this.#hasVaryingReduce(expr);
    const known = this.#laneDependent.get(expr);
    if (known !== undefined) return known;
    const result = this.dependencies.freeAxes(expr).has(laneAxis.lane.id) || this.#hasVaryingReduce(expr);
    this.#laneDependent.set(expr, result);
    return result;
  }

  #hasVaryingReduce(expr: Expr): boolean {
    return this.dependencies.reducesIn(expr).some((reduce) => this.#lookupValue(reduce)?.isUniform === false);
  }

  /** Emits, in this scope, the largest parts of `exprs` that are known here, so that inner loops find them done. */
  hoist(exprs: readonly Expr[]): void {
    const seen = new Set<Expr>();
    const visit = (expr: Expr): void => {
      if (seen.has(expr) || expr.op === "constant" || expr.op === "axis") return;
      seen.add(expr);
      if (this.#isKnownHere(expr)) {
        if (expr.dtype === "index") this.position(expr);
        else this.value(expr);
        return;
      }
      if (expr.op === "affine") {
        const [fixed] = this.#splitAffine(expr);
        if (fixed && fixed.op !== "constant") this.position(fixed);
      }
      // What a reduction is made of belongs to its own loop.
      if (expr.op !== "reduce") for (const arg of expr.args) visit(arg);
    };
    for (const expr of exprs) visit(expr);
  }

  #isKnownHere(expr: Expr): boolean {
    for (const id of this.dependencies.freeAxes(expr).keys()) if (this.#axisLocal(id) === null) return false;
    return this.dependencies.reducesIn(expr).every((reduce) => this.#lookupValue(reduce) !== null);
  }

  /** Splits an affine expression into what this scope knows and the rest. */
  #splitAffine(expr: Expr): [Expr | null, Expr | null] {
    const { terms, offset } = affineOf(expr);
    let fixed = this.e.index(offset);
    let rest = this.e.index(0);
    let fixedCount = 0;
    for (const [atom, coefficient] of terms) {
      const term = this.e.scale(atom, coefficient);
      if (this.#isKnownHere(atom)) {
        fixed = this.e.add(fixed, term);
        fixedCount++;
      } else rest = this.e.add(rest, term);
    }
    return fixedCount === 0 || fixedCount === terms.size ? [null, null] : [fixed, rest];
  }

  /** The lanes of a data expression. */
  value(expr: Expr): LaneValue {
    const known = this.#lookupValue(expr);
    if (known) return known;
    const value = this.#emitValue(expr);
    this.#scope.values.set(expr, value);
    return value;
  }

  /** Registers of `expr` for all lanes, repeated if it is uniform. */
  registers(expr: Expr): readonly number[] {
    const { registers, isUniform } = this.value(expr);
    const [first] = registers;
    if (!isUniform || first === undefined) return registers;
    return new Array<number>(this.#registerCount(elementType(expr))).fill(first);
  }

  /** How many registers hold the lanes of one value of `dtype`. */
  #registerCount(dtype: Dtype): number {
    return this.laneAxis ? this.laneAxis.lanes / lanesPerRegister(dtype) : 1;
  }

  #emitValue(expr: Expr): LaneValue {
    if (expr.op === "constant") return uniform(this.ops.constant(expr.value, elementType(expr)));
    if (expr.op === "argument") return uniform(this.#arguments(expr.slot, elementType(expr)));
    if (expr.op === "reduce") throw new MLXError("codegen", "a reduction is used before its loop has ended");
    if (expr.op === "load") return this.#load(expr.slot, elementType(expr), argOf(expr, 0));
    if (expr.op === "cast" && argOf(expr, 0).dtype === "index")
      return this.ops.others.indexValue(this, argOf(expr, 0), elementType(expr));
    const isUniform = !expr.args.some((arg) => this.variesByLane(arg));
    const { op } = expr;
    if (isComparison(op)) return this.ops.others.compareValues(this, expr, isUniform);
    const dtype = elementType(expr);
    const args = expr.args.map((arg) => (isUniform ? this.value(arg).registers : this.registers(arg)));
    const [a = [], b = [], c = []] = args;
    if (op === "select") {
      const is64 = byteLengthOf(dtype) === 8;
      const masks = is64 ? this.ops.others.widenMasks(this.ops, a, isUniform) : a;
      return { registers: b.map((register, k) => this.ops.select(masks[k] ?? 0, register, c[k] ?? 0)), isUniform };
    }
    if (op === "cast" || op === "bitcast") {
      const from = elementType(argOf(expr, 0));
      const registers =
        op === "cast" ? this.ops.cast(from, dtype, a, isUniform) : this.ops.others.bitcast(this.ops, from, dtype, a);
      return { registers, isUniform };
    }
    if (op === "axis" || op === "affine") throw new MLXError("codegen", `${op} is no instruction`);
    if (isUnary(op, expr.args))
      return { registers: a.map((register) => this.ops.unary(op, dtype, register)), isUniform };
    const second = argOf(expr, 1);
    if ((op === "shl" || op === "shr") && !this.variesByLane(second)) {
      const by = second.op === "constant" ? Number(second.value) : { register: b[0] ?? 0 };
      return {
        registers: a.map((register) => this.ops.others.shiftAll(this.ops, op, dtype, register, by)),
        isUniform,
      };
    }
    if ((op === "max" || op === "min") && second.op === "constant" && isFloating(dtype)) {
      return { registers: a.map((register) => this.ops.bounded(op, dtype, register, Number(second.value))), isUniform };
    }
    return { registers: a.map((register, k) => this.ops.binary(op, dtype, register, b[k] ?? 0)), isUniform };
  }

  #load(slot: number, dtype: Dtype, index: Expr): LaneValue {
    const pointer = this.#pointers(slot);
    const bytes = byteLengthOf(dtype);
    if (!this.variesByLane(index)) {
      const address = this.address(pointer, this.position(index), dtype);
      return uniform(loadSplat(this.ops, dtype, address, 0));
    }
    const { lanes } = this.requireLanes();
    const linear = this.linear(index);
    if (linear?.coefficient !== 1) return this.ops.others.loadApart(this, pointer, dtype, index);
    const address = this.address(pointer, this.position(linear.base), dtype);
    const registers: number[] = [];
    for (let first = 0; first < lanes; first += lanesPerRegister(dtype))
      registers.push(loadVector(this.ops, dtype, address, first * bytes));
    return { registers, isUniform: false };
  }

  /** Writes `value` at `index` for every lane; where nothing varies, once. */
  store(slot: number, index: Expr, value: Expr): void {
    const pointer = this.#pointers(slot);
    const dtype = elementType(value);
    const bytes = byteLengthOf(dtype);
    if (!this.laneAxis || !(this.variesByLane(index) || this.variesByLane(value))) {
      const [register = 0] = this.value(value).registers;
      const address = this.address(pointer, this.position(index), dtype);
      storeLane(this.ops, dtype, register, 0, () => this.f.get(address));
      return;
    }
    const { lanes } = this.laneAxis;
    const registers = this.registers(value);
    const linear = this.linear(index);
    const perRegister = lanesPerRegister(dtype);
    if (linear && linear.coefficient === 1) {
      const address = this.address(pointer, this.position(linear.base), dtype);
      registers.forEach((register, k) => {
        storeVector(this.ops, dtype, register, address, k * perRegister * bytes);
      });
      return;
    }
    for (let lane = 0; lane < lanes; lane++) {
      const position = this.ops.others.positionAt(this, index, lane);
      const register = registers[Math.floor(lane / perRegister)] ?? 0;
      storeLane(this.ops, dtype, register, lane % perRegister, () => pushAddress(this.f, pointer, position, dtype));
    }
  }

  /** An i32 local with the value of an index expression that is the same for all lanes. */
  position(expr: Expr): number {
    const known = this.#find(({ positions }) => positions.get(expr));
    if (known !== null) return known;
    if (expr.op === "axis") {
      const local = this.#axisLocal(expr.axis.id);
      if (local === null) throw new MLXError("codegen", `axis ${expr.axis.id} has no counter`);
      return local;
    }
    const local = this.f.local("i32");
    this.#pushPosition(expr);
    this.f.set(local);
    this.#scope.positions.set(expr, local);
    return local;
  }

  #pushPosition(expr: Expr): void {
    switch (expr.op) {
      case "constant":
        this.f.i32(Number(expr.value));
        return;
      case "affine":
        this.#pushAffine(expr);
        return;
      case "quotient":
      case "remainder":
        this.#pushDivision(expr);
        return;
      default:
        this.ops.others.pushPosition(this, expr);
    }
  }

  #pushAffine(expr: Expr): void {
    const { f } = this;
    const known = this.#knownPart(expr);
    let isFirst = true;
    const plus = (): void => {
      if (!isFirst) f.op("i32.add");
      isFirst = false;
    };
    const rest = known ? this.e.sub(expr, known.expr) : expr;
    if (known) {
      f.get(known.local);
      plus();
    }
    const { terms, offset } = affineOf(rest);
    for (const [atom, coefficient] of terms) {
      f.get(this.position(atom));
      if (coefficient !== 1) {
        const shift = Math.log2(coefficient);
        if (Number.isInteger(shift)) f.i32(shift).op("i32.shl");
        else f.i32(coefficient).op("i32.mul");
      }
      plus();
    }
    if (offset !== 0 || isFirst) {
      f.i32(offset);
      plus();
    }
  }

  /** The part of an affine expression that an outer scope has already computed. */
  #knownPart(expr: Expr): { readonly expr: Expr; readonly local: number } | null {
    for (const scope of this.#scopes) {
      for (const [candidate, local] of scope.positions) {
        if (candidate.op !== "affine" || candidate === expr) continue;
        const { terms, offset } = affineOf(expr);
        const inner = affineOf(candidate);
        if (inner.terms.size < 1 || inner.terms.size >= terms.size || inner.offset !== offset) continue;
        let isPart = true;
        for (const [atom, coefficient] of inner.terms) if (terms.get(atom) !== coefficient) isPart = false;
        if (isPart) return { expr: candidate, local };
      }
    }
    return null;
  }

  #pushDivision(expr: Expr): void {
    const { f } = this;
    const { op } = expr;
    const [dividend, divisor] = [argOf(expr, 0), argOf(expr, 1)];
    if (divisor.op !== "constant") {
      this.ops.others.pushPosition(this, expr);
      return;
    }
    const [low] = rangeOf(dividend);
    // A multiple of the divisor makes the dividend non-negative: floor then is truncation.
    const value = Number(divisor.value);
    const bias = low >= 0 ? 0 : Math.ceil(-low / value);
    f.get(this.position(dividend));
    if (bias > 0) f.i32(bias * value).op("i32.add");
    const shift = Math.log2(value);
    if (Number.isInteger(shift)) {
      if (op === "quotient") f.i32(shift).op("i32.shr_u");
      else f.i32(value - 1).op("i32.and");
    } else f.i32(value).op(op === "quotient" ? "i32.div_u" : "i32.rem_u");
    if (bias > 0 && op === "quotient") f.i32(bias).op("i32.sub");
  }

  /** `base + coefficient · lane`, if the expression has that form. */
  linear(index: Expr): { readonly base: Expr; readonly coefficient: number } | null {
    const { lane } = this.requireLanes();
    let coefficient = 0;
    let base = this.e.index(affineOf(index).offset);
    for (const [atom, factor] of affineOf(index).terms) {
      if (atom.op === "axis" && atom.axis.id === lane.id) coefficient = factor;
      else if (this.variesByLane(atom)) return null;
      else base = this.e.add(base, this.e.scale(atom, factor));
    }
    return { base, coefficient };
  }

  /** A local with the address of the element at a position. */
  address(pointer: number, position: number, dtype: Dtype): number {
    const local = this.f.local("i32");
    pushAddress(this.f, pointer, position, dtype).set(local);
    return local;
  }

  #lookupValue(expr: Expr): LaneValue | null {
    return this.#find(({ values }) => values.get(expr));
  }

  #axisLocal(id: number): number | null {
    return this.#find(({ axes }) => axes.get(id));
  }

  /** What the innermost scope that knows it says; null if none does. */
  #find<T>(ask: (scope: Scope) => T | undefined): T | null {
    for (let k = this.#scopes.length - 1; k >= 0; k--) {
      const scope = this.#scopes[k];
      const known = scope && ask(scope);
      if (known !== undefined) return known;
    }
    return null;
  }

  /** The vector axis in force. */
  requireLanes(): LaneAxis {
    if (!this.laneAxis) throw new MLXError("codegen", "no axis is vectorized here");
    return this.laneAxis;
  }

  get #scope(): Scope {
    const scope = this.#scopes.at(-1);
    if (!scope) throw new MLXError("codegen", "no scope is open");
    return scope;
  }
}

function uniform(register: number): LaneValue {
  return { registers: [register], isUniform: true };
}
