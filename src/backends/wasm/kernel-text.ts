/** Kernels as text that two of them share exactly if one module serves both. */
import { scalarText } from "../../base/elements.ts";
import { remembered } from "../../base/remembered.ts";
import type { Expr } from "../../ir/expr.ts";
import type { Loop, LoopKernel, Store } from "../../ir/kernel.ts";

/** The cache key of a loop kernel: expressions numbered in order of first use, axes by length and order. */
export function kernelText(kernel: LoopKernel): string {
  const writer = new KernelWriter(kernel);
  writer.loop(kernel.root);
  return writer.text;
}

/** Writes kernels as text. */
export class KernelWriter {
  text = "";
  readonly #numbers = new Map<Expr, number>();
  readonly #axes = new Map<number, number>();

  constructor(kernel: Pick<LoopKernel, "slots" | "arguments">) {
    this.write(kernel.slots.map(({ dtype, isOutput }) => (isOutput ? `>${dtype}` : dtype)).join());
    this.write(`|${kernel.arguments.join()}|`);
  }

  /** Appends `part`, which is complete by now: `text += …` would lose what evaluating the part itself writes. */
  write(part: string): void {
    this.text += part;
  }

  axis(id: number, length: number): number {
    return remembered(this.#axes, id, () => {
      this.write(`x${this.#axes.size}:${length};`);
      return this.#axes.size;
    });
  }

  loop(loop: Loop): void {
    this.write("{");
    for (const { id, length } of loop.axes) this.write(`@${this.axis(id, length)}`);
    for (const child of loop.children) this.loop(child);
    for (const reduce of loop.reduces) this.write(`;r${this.reference(reduce)}`);
    this.stores(loop.stores);
    this.write("}");
  }

  stores(stores: readonly Store[]): void {
    for (const { slot, index, value } of stores)
      this.write(`;${slot}[${this.reference(index)}]=${this.reference(value)}`);
  }

  /** The number of `expr`; writes its definition at first use. */
  reference(expr: Expr): number {
    const known = this.#numbers.get(expr);
    if (known !== undefined) return known;
    const args = expr.args.map((arg) => this.reference(arg));
    let head: string = expr.op;
    switch (expr.op) {
      case "constant":
        head = `c${scalarText(expr.value)}`;
        break;
      case "argument":
      case "load":
        head += expr.slot;
        break;
      case "axis":
        head = `@${this.axis(expr.axis.id, expr.axis.length)}`;
        break;
      case "affine":
        head = `+${expr.offset}*${expr.coefficients.join("*")}`;
        break;
      case "reduce":
        head = `${expr.reduceOp}${expr.axes.map(({ id, length }) => this.axis(id, length)).join("@")}`;
        break;
      default:
    }
    const number = this.#numbers.size;
    this.#numbers.set(expr, number);
    this.write(`${number}=${head}:${expr.dtype}(${args.join()});`);
    return number;
  }
}
