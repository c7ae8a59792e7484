/** The source text of an expression template: its tokens, and errors that point at one of its characters. */
import { FormatError } from "../base/errors.ts";

/** A piece of an expression and where it begins in the text that errors show. */
export type Token = { readonly position: number; readonly text: string } & (
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name" }
  | { readonly kind: "operator" }
  | { readonly kind: "slot"; readonly index: number }
  | { readonly kind: "end" }
);

/** How an interpolated value shows in errors. */
const slotText: string = "$".concat("{…}");

const spacePattern = /\s+/y;
const numberPattern = /0[xX][\da-fA-F]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y;
const namePattern = /[A-Za-z_]\w*/y;
const operatorPattern = /\*\*|\/\/|<<|>>|<=|>=|==|!=|[-+*/%@<>&|^~(),.]/y;

/** The text of a template as errors show it, on one line. */
export function textOf(strings: readonly string[]): string {
  return strings.join(slotText).replace(/[\t\n\r]/g, " ");
}

/** The tokens of a template; the last one is the end. @throws {FormatError} pointing at a character that begins none */
export function tokensOf(strings: readonly string[]): readonly Token[] {
  const text = textOf(strings);
  const tokens: Token[] = [];
  let base = 0;
  strings.forEach((part, index) => {
    if (index > 0) {
      tokens.push({ kind: "slot", index: index - 1, position: base, text: slotText });
      base += slotText.length;
    }
    for (let at = 0; at < part.length; ) {
      const position = base + at;
      const match = (pattern: RegExp): string => {
        pattern.lastIndex = at;
        return pattern.exec(part)?.[0] ?? "";
      };
      const space = match(spacePattern);
      const digits = match(numberPattern);
      const name = match(namePattern);
      const operator = match(operatorPattern);
      if (digits) tokens.push({ kind: "number", value: Number(digits.replaceAll("_", "")), position, text: digits });
      else if (name) tokens.push({ kind: "name", position, text: name });
      else if (operator) tokens.push({ kind: "operator", position, text: operator });
      else if (!space)
        throw syntaxError(text, position, `"${String.fromCodePoint(part.codePointAt(at) ?? 0)}" is no operator`);
      at += (space || digits || name || operator).length;
    }
    base += part.length;
  });
  tokens.push({ kind: "end", position: text.trimEnd().length, text: "" });
  return tokens;
}

/** An error that shows the text with a caret under the character at `position`. */
export function syntaxError(text: string, position: number, detail: string): FormatError {
  return new FormatError("expr", `${detail}\n  ${text.trimEnd()}\n  ${" ".repeat(position)}^`);
}
