/** Expressions as a list of small steps over registers, each shared subexpression computed once. */
import type { TypedArray } from "../base/dtype.ts";
import { isBigInteger, isHalf } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import { halfToNumber, numberToHalf } from "../base/half.ts";
import * as big from "./big-arithmetic.ts";
import type { Axis, Expr, ExprType, ScalarValue } from "./expr.ts";
import { argOf, elementType } from "./expr.ts";
import { isUnary } from "./instruction.ts";
import type { Store } from "./kernel.ts";
import * as scalar from "./scalar-arithmetic.ts";

/** Whether values of `type` are bigints. */
export function isBig(type: ExprType): boolean {
  return type !== "index" && isBigInteger(type);
}

/** Registers, and the steps that fill them. Values of int64 and uint64 lie in `bigints`, all others in `numbers`. */
export class Tape {
  readonly numbers: number[] = [];
  readonly bigints: bigint[] = [];
  #buffers: readonly TypedArray[] = [];
  readonly #places = new Map<Expr, number>();
  readonly #axes = new Map<number, number>();
  readonly #arguments: { readonly slot: number; readonly place: number; readonly type: ExprType }[] = [];

  /** Gives the tape what it works on. */
  bind(buffers: readonly TypedArray[], constants: readonly ScalarValue[]): void {
    this.#buffers = buffers;
    for (const { slot, place, type } of this.#arguments) {
      const value = constants[slot] ?? 0;
      if (isBig(type)) this.bigints[place] = BigInt(value);
      else this.numbers[place] = scalar.narrowed(type)(Number(value));
    }
  }

  /** The register that holds `expr`. */
  placeOf(expr: Expr): number {
    if (expr.op === "axis") return this.placeOfAxis(expr.axis);
    let place = this.#places.get(expr);
    if (place === undefined) {
      place = isBig(expr.dtype) ? this.bigints.push(0n) - 1 : this.numbers.push(0) - 1;
      this.#places.set(expr, place);
    }
    return place;
  }

  /** The register that holds the position along `axis`. */
  placeOfAxis(axis: Axis): number {
    let place = this.#axes.get(axis.id);
    if (place === undefined) {
      place = this.numbers.push(0) - 1;
      this.#axes.set(axis.id, place);
    }
    return place;
  }

  /** Computes `roots`, given the axes and the reductions they use. */
  program(roots: readonly Expr[]): () => void {
    const steps: (() => void)[] = [];
    const visited = new Set<Expr>();
    const stack = [...roots];
    while (stack.length > 0) {
      const expr = stack.at(-1);
      if (!expr) break;
      const waiting = visited.has(expr) || expr.op === "reduce" ? [] : expr.args.filter((arg) => !visited.has(arg));
      if (waiting.length > 0) {
        stack.push(...waiting);
        continue;
      }
      stack.pop();
      if (visited.has(expr)) continue;
      visited.add(expr);
      const step = this.#step(expr);
      if (step) steps.push(step);
    }
    return () => {
      for (const step of steps) step();
    };
  }

  /** Writes the value of a store to its buffer; both expressions have been computed. */
  writer({ slot, index, value }: Store): () => void {
    const { numbers, bigints } = this;
    const at = this.placeOf(index);
    const from = this.placeOf(value);
    const dtype = elementType(value);
    if (isBigInteger(dtype)) {
      return () => {
        const buffer = this.#buffers[slot];
        if (buffer instanceof BigInt64Array || buffer instanceof BigUint64Array)
          buffer[numbers[at] ?? 0] = bigints[from] ?? 0n;
      };
    }
    const store = (buffer: TypedArray | undefined, position: number, element: number): void => {
      if (buffer && !(buffer instanceof BigInt64Array || buffer instanceof BigUint64Array)) buffer[position] = element;
    };
    if (isHalf(dtype))
      return () => store(this.#buffers[slot], numbers[at] ?? 0, numberToHalf(numbers[from] ?? 0, dtype));
    return () => store(this.#buffers[slot], numbers[at] ?? 0, numbers[from] ?? 0);
  }

  /** What computes `expr` from its operands; null for what is there already. */
  #step(expr: Expr): (() => void) | null {
    const place = this.placeOf(expr);
    switch (expr.op) {
      case "axis":
      case "reduce":
        return null;
      case "constant":
        if (isBig(expr.dtype)) this.bigints[place] = BigInt(expr.value);
        else this.numbers[place] = scalar.castNumber("float64", expr.dtype)(Number(expr.value));
        return null;
      case "argument":
        this.#arguments.push({ slot: expr.slot, place, type: expr.dtype });
        return null;
      case "affine":
        return this.#affine(place, expr.offset, expr.coefficients, expr.args);
      case "load":
        return this.#load(place, expr, expr.slot);
      case "select":
        return this.#select(place, expr);
      case "cast":
        return this.#cast(place, expr);
      case "bitcast":
        return this.#bitcast(place, expr);
      case "eq":
      case "ne":
      case "lt":
      case "le": {
        const compare = scalar.comparison(expr.op);
        const [a, b] = this.#operands(expr);
        const { numbers } = this;
        const source: readonly ScalarValue[] = isBig(argOf(expr, 0).dtype) ? this.bigints : numbers;
        return () => {
          numbers[place] = compare(source[a] ?? 0, source[b] ?? 0);
        };
      }
      default: {
        const { op, dtype, args } = expr;
        if (isUnary(op, args)) {
          if (isBig(dtype)) return this.#mapBig(place, expr, big.bigUnary(op, dtype));
          return this.#mapNumber(place, expr, scalar.numberUnary(op, dtype));
        }
        const [a, b] = this.#operands(expr);
        const { numbers, bigints } = this;
        if (isBig(dtype)) {
          const compute = big.bigBinary(op, dtype);
          return () => {
            bigints[place] = compute(bigints[a] ?? 0n, bigints[b] ?? 0n);
          };
        }
        const compute = scalar.numberBinary(op, dtype);
        return () => {
          numbers[place] = compute(numbers[a] ?? 0, numbers[b] ?? 0);
        };
      }
    }
  }

  #operands(expr: Expr): [number, number] {
    return [this.placeOf(argOf(expr, 0)), this.placeOf(argOf(expr, 1))];
  }

  #mapNumber(place: number, expr: Expr, change: scalar.NumberUnary): () => void {
    const { numbers } = this;
    const from = this.placeOf(argOf(expr, 0));
    return () => {
      numbers[place] = change(numbers[from] ?? 0);
    };
  }

  #mapBig(place: number, expr: Expr, change: big.BigUnary): () => void {
    const { bigints } = this;
    const from = this.placeOf(argOf(expr, 0));
    return () => {
      bigints[place] = change(bigints[from] ?? 0n);
    };
  }

  #affine(place: number, offset: number, coefficients: readonly number[], args: readonly Expr[]): () => void {
    const { numbers } = this;
    const places = args.map((arg) => this.placeOf(arg));
    return () => {
      let sum = offset;
      for (let k = 0; k < places.length; k++) sum += (coefficients[k] ?? 0) * (numbers[places[k] ?? 0] ?? 0);
      numbers[place] = sum;
    };
  }

  #load(place: number, expr: Expr, slot: number): () => void {
    const { numbers, bigints } = this;
    const at = this.placeOf(argOf(expr, 0));
    const dtype = elementType(expr);
    if (isBigInteger(dtype)) {
      return () => {
        bigints[place] = BigInt(this.#buffers[slot]?.[numbers[at] ?? 0] ?? 0n);
      };
    }
    if (isHalf(dtype)) {
      return () => {
        numbers[place] = halfToNumber(Number(this.#buffers[slot]?.[numbers[at] ?? 0] ?? 0), dtype);
      };
    }
    return () => {
      numbers[place] = Number(this.#buffers[slot]?.[numbers[at] ?? 0] ?? 0);
    };
  }

  #select(place: number, expr: Expr): () => void {
    const { numbers, bigints } = this;
    const [condition, yes] = this.#operands(expr);
    const no = this.placeOf(argOf(expr, 2));
    if (isBig(expr.dtype)) {
      return () => {
        bigints[place] = bigints[numbers[condition] ? yes : no] ?? 0n;
      };
    }
    return () => {
      numbers[place] = numbers[numbers[condition] ? yes : no] ?? 0;
    };
  }

  #cast(place: number, expr: Expr): () => void {
    const { numbers, bigints } = this;
    const operand = argOf(expr, 0);
    const from = this.placeOf(operand);
    if (isBig(operand.dtype)) {
      if (isBig(expr.dtype)) return this.#mapBig(place, expr, big.narrowedBig(expr.dtype));
      const change = big.castFromBig(expr.dtype);
      return () => {
        numbers[place] = change(bigints[from] ?? 0n);
      };
    }
    if (isBig(expr.dtype)) {
      const change = big.castToBig(operand.dtype, expr.dtype);
      return () => {
        bigints[place] = change(numbers[from] ?? 0);
      };
    }
    return this.#mapNumber(place, expr, scalar.castNumber(operand.dtype, expr.dtype));
  }

  #bitcast(place: number, expr: Expr): () => void {
    const { numbers, bigints } = this;
    const operand = argOf(expr, 0);
    const from = this.placeOf(operand);
    if (isBig(operand.dtype)) {
      if (isBig(expr.dtype)) return this.#mapBig(place, expr, big.narrowedBig(expr.dtype));
      return () => {
        numbers[place] = big.bitcastFromBig(bigints[from] ?? 0n);
      };
    }
    if (isBig(expr.dtype)) {
      const change = big.bitcastToBig(elementType(expr));
      return () => {
        bigints[place] = change(numbers[from] ?? 0);
      };
    }
    return this.#mapNumber(place, expr, scalar.bitcastNumber(elementType(operand), elementType(expr)));
  }
}

/** The one reduction that `expr` is. */
export function requireReduction(expr: Expr): Expr & { readonly op: "reduce" } {
  if (expr.op !== "reduce") throw new MLXError("interpret", `a loop reduces ${expr.op}, which is no reduction`);
  return expr;
}
