/** `expr`: formulas over arrays with Python's operators, in a tagged template that is parsed once per place in the source. */
import { ArgumentError, DtypeError, FormatError } from "../base/errors.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { ArrayReference, asArray } from "../primitives/operands.ts";
import { transpose } from "../primitives/views.ts";
import type { BinaryOperator } from "./expression-operators.ts";
import {
  applyBinary,
  applyInvert,
  applyNegative,
  binaryOperators,
  namedFunctions,
  namedNumbers,
  powerOperator,
} from "./expression-operators.ts";
import type { Token } from "./expression-text.ts";
import { syntaxError, textOf, tokensOf } from "./expression-text.ts";

/** A parsed formula: what it gives for the interpolated values. */
type Formula = (values: readonly ArrayLike[]) => ArrayLike;

const parsed = new WeakMap<readonly string[], Formula>();

/** How deep parentheses, signs and powers may nest before the parser gives up. */
const deepestNesting = 256;

/**
 * The value of a formula over arrays and numbers, with Python's operators and their precedence: `**`, then unary `+ - ~`,
 * then `* / // % @`, `+ -`, `<< >>`, `&`, `^`, `|` and comparisons; parentheses, `.T`, the elementwise functions by name
 * (`exp(${x})`, `maximum(${x}, 0)`, `where(…)`) and `pi`, `e`, `inf`, `nan`.
 *
 * Numbers are weak: they take the dtype of the arrays beside them, an integral one (`2`, `2.0`) counting as an integer.
 * Parsed once per place in the source, so that a formula in a loop costs what its function calls would.
 *
 * @throws {FormatError} for a syntax error, with a caret under the character
 * @example
 * const x = array([1, 2, 3]);
 * await expr`${x} ** 2 + 2 * ${x} + 1`.tolist(); // [4, 9, 16]
 * await expr`-(${x} @ ${x}.T) / 7`.item(); // -2
 * await expr`(${x} > 1) & ~(${x} == 3)`.tolist(); // [false, true, false]
 */
export function expr(strings: TemplateStringsArray, ...values: readonly ArrayLike[]): MLXArray {
  let formula = parsed.get(strings);
  if (!formula) {
    if (!Array.isArray(strings?.raw))
      throw new ArgumentError("expr", "is a template: write the formula behind mx.expr in backticks");
    formula = new Parser(strings.raw).parse();
    parsed.set(strings, formula);
  }
  return asArray("expr", formula(values));
}

function asOperand(value: ArrayLike | undefined): ArrayLike {
  if (value instanceof MLXArray || typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return value;
  if (value instanceof ArrayReference) return value.get();
  throw new DtypeError(
    "expr",
    "every interpolated value is an array or a number; make an array of a list with array(…)",
  );
}

function combine(operator: BinaryOperator, left: Formula, right: Formula): Formula {
  return (values) => applyBinary(operator, left(values), right(values));
}

/** Reads a formula by precedence climbing. */
class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(strings: readonly string[]) {
    this.#text = textOf(strings);
    this.#tokens = tokensOf(strings);
  }

  parse(): Formula {
    const formula = this.#binary(0);
    const rest = this.#peek();
    if (rest.kind === "end") return formula;
    throw this.#error(rest, rest.text === ")" ? 'this ")" closes nothing' : "an operator is missing before this");
  }

  /** A chain of operators that bind at least as tightly as `strength`. */
  #binary(strength: number): Formula {
    let left = this.#unary();
    let isCompared = false;
    for (;;) {
      const token = this.#peek();
      const operator = token.kind === "operator" ? binaryOperators.get(token.text) : undefined;
      if (!operator || operator.strength < strength) return left;
      if (operator.isComparison && isCompared) {
        throw this.#error(token, "comparisons do not chain; write (a < b) & (b < c)");
      }
      isCompared ||= operator.isComparison;
      this.#next++;
      left = combine(operator, left, this.#binary(operator.strength + 1));
    }
  }

  #unary(): Formula {
    const token = this.#peek();
    if (token.kind !== "operator" || !"+-~".includes(token.text)) return this.#power();
    this.#next++;
    const operand = this.#nested(token, () => this.#unary());
    switch (token.text) {
      case "-":
        return (values) => applyNegative(operand(values));
      case "~":
        return (values) => applyInvert(operand(values));
      default:
        return operand;
    }
  }

  #power(): Formula {
    const base = this.#postfix();
    const token = this.#peek();
    if (!this.#takes("**")) return base;
    return combine(
      powerOperator,
      base,
      this.#nested(token, () => this.#unary()),
    );
  }

  #postfix(): Formula {
    let operand = this.#atom();
    while (this.#takes(".")) {
      const name = this.#peek();
      if (name.text !== "T") throw this.#error(name, "only .T, the transpose, may follow a dot");
      this.#next++;
      const inner = operand;
      operand = (values) => transpose(asArray("expr", inner(values)));
    }
    return operand;
  }

  #atom(): Formula {
    const token = this.#peek();
    switch (token.kind) {
      case "slot": {
        this.#next++;
        const { index } = token;
        return (values) => asOperand(values[index]);
      }
      case "number": {
        this.#next++;
        const { value } = token;
        if (this.#peek().kind === "name" && this.#peek().position === token.position + token.text.length) {
          throw this.#error(this.#peek(), `the number ${token.text} is followed by a letter`);
        }
        return () => value;
      }
      case "name":
        this.#next++;
        return this.#named(token);
      default: {
        if (!this.#takes("(")) throw this.#error(token, "an array, a number or a parenthesis is missing here");
        const inside = this.#nested(token, () => this.#binary(0));
        this.#close(token);
        return inside;
      }
    }
  }

  #named(token: Token): Formula {
    const value = namedNumbers.get(token.text);
    if (value !== undefined) return () => value;
    const called = namedFunctions.get(token.text);
    if (!called) {
      throw this.#error(token, `nothing is called "${token.text}"; values come in as \${…}`);
    }
    const open = this.#peek();
    if (!this.#takes("("))
      throw this.#error(open, `${token.text} is a function: its arguments in parentheses are missing`);
    const operands: Formula[] = [];
    do operands.push(this.#nested(open, () => this.#binary(0)));
    while (this.#takes(","));
    this.#close(open);
    if (operands.length !== called.arity) {
      throw this.#error(
        token,
        `${token.text} takes ${called.arity} argument${called.arity === 1 ? "" : "s"}, not ${operands.length}`,
      );
    }
    return (values) => called.call(...operands.map((operand) => operand(values)));
  }

  #peek(): Token {
    const token = this.#tokens[this.#next];
    if (token) return token;
    throw new FormatError("expr", "the formula ended before it was read");
  }

  #takes(operator: string): boolean {
    const token = this.#peek();
    if (token.kind !== "operator" || token.text !== operator) return false;
    this.#next++;
    return true;
  }

  #close(open: Token): void {
    if (this.#takes(")")) return;
    const token = this.#peek();
    if (token.kind === "end") throw this.#error(open, 'this "(" is never closed');
    throw this.#error(token, 'an operator or ")" is missing before this');
  }

  #nested(token: Token, read: () => Formula): Formula {
    if (++this.#depth > deepestNesting) throw this.#error(token, `nested more than ${deepestNesting} deep`);
    const formula = read();
    this.#depth--;
    return formula;
  }

  #error(token: Token, detail: string): FormatError {
    return syntaxError(this.#text, token.position, detail);
  }
}
