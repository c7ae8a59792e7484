/** Kernels and expressions as text for people: explanations, reviews and golden tests. */
import { scalarText } from "../base/elements.ts";
import type { Axis, Expr } from "./expr.ts";
import { argOf } from "./expr.ts";
import type { Kernel, Loop, Store } from "./kernel.ts";

const infix: Readonly<Record<string, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr: ">>",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
};

/** `expr` in one line; a reduction stands for itself, operand included. */
export function printExpr(expr: Expr): string {
  return new Printer().text(expr);
}

/**
 * `kernel` as indented text: its buffers (`%0`, an output marked `→`), its lifted constants (`c0`) and its loops. Within a
 * loop, what is used more than once is named `t0`, `t1` …, a finished reduction `r0`, `r1` ….
 */
export function printKernel(kernel: Kernel): string {
  const lines = [`${kernel.kind} ${kernel.label}`];
  kernel.slots.forEach(({ dtype, size, isOutput }, slot) => {
    lines.push(`  %${slot}${isOutput ? " →" : ":"} ${dtype}[${size}]`);
  });
  kernel.arguments.forEach((dtype, slot) => {
    lines.push(`  c${slot}: ${dtype}`);
  });
  const printer = new Printer();
  switch (kernel.kind) {
    case "loop":
      printer.loop(kernel.root, "  ", lines);
      break;
    case "contraction": {
      const { batch, m, n, k, left, right, dtype, result, stores } = kernel;
      const name = printer.nameReduction(result);
      lines.push(`  ${printer.header([...batch, m, n])}`);
      lines.push(`    ${name}: ${dtype} = sum over ${printer.axis(k)} < ${k.length} of`);
      lines.push(`      left ${printer.text(left)}`, `      right ${printer.text(right)}`);
      printer.stores(stores, "    ", lines);
      break;
    }
    case "routine":
      lines.push(`  ${kernel.call.name}`);
      break;
    case "composite":
      lines.push(`  ${kernel.call.name} ${JSON.stringify(kernel.call.params)}`);
  }
  return lines.join("\n");
}

/** Numbers axes and reductions in the order in which they appear, so that equal kernels print alike. */
class Printer {
  readonly #axes = new Map<number, string>();
  readonly #reductions = new Map<Expr, string>();
  #shared = new Map<Expr, string>();
  #sharedCount = 0;

  axis({ id }: Axis): string {
    const known = this.#axes.get(id) ?? `i${this.#axes.size}`;
    this.#axes.set(id, known);
    return known;
  }

  header(axes: readonly Axis[]): string {
    return axes.length === 0 ? "once" : `for ${axes.map((axis) => `${this.axis(axis)} < ${axis.length}`).join(", ")}`;
  }

  nameReduction(reduce: Expr): string {
    const known = this.#reductions.get(reduce) ?? `r${this.#reductions.size}`;
    this.#reductions.set(reduce, known);
    return known;
  }

  loop({ axes, children, reduces, stores }: Loop, indent: string, lines: string[]): void {
    lines.push(`${indent}${this.header(axes)}`);
    const inner = `${indent}  `;
    for (const child of children) this.loop(child, inner, lines);
    const outer = this.#shared;
    this.#shared = new Map(outer);
    this.#nameShared([...reduces.flatMap(({ args }) => args), ...rootsOf(stores)], inner, lines);
    for (const reduce of reduces) {
      const operand = this.text(argOf(reduce, 0));
      const op = reduce.op === "reduce" ? reduce.reduceOp : reduce.op;
      lines.push(`${inner}${this.nameReduction(reduce)}: ${reduce.dtype} = ${op} of ${operand}`);
    }
    this.#write(stores, inner, lines);
    this.#shared = outer;
  }

  stores(stores: readonly Store[], indent: string, lines: string[]): void {
    this.#nameShared(rootsOf(stores), indent, lines);
    this.#write(stores, indent, lines);
  }

  #write(stores: readonly Store[], indent: string, lines: string[]): void {
    for (const { slot, index, value } of stores)
      lines.push(`${indent}%${slot}[${this.text(index)}] = ${this.text(value)}`);
  }

  /** Gives a line of its own to every computation that `roots` use more than once. */
  #nameShared(roots: readonly Expr[], indent: string, lines: string[]): void {
    const uses = new Map<Expr, number>();
    const order: Expr[] = [];
    const visit = (expr: Expr): void => {
      const count = (uses.get(expr) ?? 0) + 1;
      uses.set(expr, count);
      if (count > 1 || this.#shared.has(expr) || this.#reductions.has(expr)) return;
      for (const arg of expr.args) visit(arg);
      order.push(expr);
    };
    for (const root of roots) visit(root);
    for (const expr of order) {
      if ((uses.get(expr) ?? 0) < 2 || expr.args.length === 0 || expr.dtype === "index") continue;
      const text = this.text(expr);
      const name = `t${this.#sharedCount++}`;
      this.#shared.set(expr, name);
      lines.push(`${indent}${name}: ${expr.dtype} = ${text}`);
    }
  }

  /** An expression, operands in parentheses where they are operations themselves. */
  text(expr: Expr): string {
    const name = this.#shared.get(expr) ?? this.#reductions.get(expr);
    if (name !== undefined) return name;
    switch (expr.op) {
      case "constant":
        return scalarText(expr.value);
      case "argument":
        return `c${expr.slot}`;
      case "axis":
        return this.axis(expr.axis);
      case "affine": {
        const terms = expr.args.map((arg, k) => {
          const coefficient = expr.coefficients[k] ?? 0;
          return coefficient === 1 ? this.#operand(arg) : `${coefficient}*${this.#operand(arg)}`;
        });
        if (expr.offset !== 0) terms.push(`${expr.offset}`);
        return terms.join(" + ").replaceAll("+ -", "- ");
      }
      case "load":
        return `%${expr.slot}[${this.text(argOf(expr, 0))}]`;
      case "reduce": {
        const axes = expr.axes.map((axis) => `${this.axis(axis)} < ${axis.length}`).join(", ");
        return `${expr.reduceOp}(${axes}: ${this.text(argOf(expr, 0))})`;
      }
      case "select": {
        const [condition, yes, no] = expr.args.map((arg) => this.#operand(arg));
        return `${condition} ? ${yes} : ${no}`;
      }
      case "cast":
        return `${expr.dtype}(${this.text(argOf(expr, 0))})`;
      case "bitcast":
        return `bits<${expr.dtype}>(${this.text(argOf(expr, 0))})`;
      case "neg":
        return `-${this.#operand(argOf(expr, 0))}`;
      default: {
        const sign = infix[expr.op];
        const texts = expr.args.map((arg) => (sign ? this.#operand(arg) : this.text(arg)));
        return sign ? texts.join(` ${sign} `) : `${expr.op}(${texts.join(", ")})`;
      }
    }
  }

  #operand(expr: Expr): string {
    const text = this.text(expr);
    const isAtom = this.#shared.has(expr) || this.#reductions.has(expr) || !(expr.op in infix || compound.has(expr.op));
    return isAtom ? text : `(${text})`;
  }
}

const compound: ReadonlySet<string> = new Set(["affine", "select"]);

function rootsOf(stores: readonly Store[]): Expr[] {
  return stores.flatMap(({ index, value }) => [index, value]);
}
