/** A text as numbers: its alphabet, and the parts that train and that judge. */
import { readFile } from "node:fs/promises";
import { reasonOf, UserError } from "../common/command.ts";

/** The different characters of a text, each with a number. */
export class Alphabet {
  readonly characters: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(text: string) {
    this.characters = Array.from(new Set(text)).sort();
    this.#numbers = new Map(this.characters.map((character, number) => [character, number]));
  }

  /** How many characters there are. */
  get size(): number {
    return this.characters.length;
  }

  /** The numbers of a text's characters. @throws {UserError} for a character that the alphabet lacks */
  encode(text: string): Int32Array {
    return Int32Array.from(Array.from(text), (character) => {
      const number = this.#numbers.get(character);
      if (number !== undefined) return number;
      throw new UserError(
        `the character ${JSON.stringify(character)} is not in the text that is learned; it has ${this.characters.join("")}`,
      );
    });
  }

  /** The character of a number. */
  decode(number: number): string {
    return this.characters[number] ?? "";
  }
}

/** A text, ready to be learned. */
export interface Corpus {
  readonly alphabet: Alphabet;
  /** The first nine tenths, as numbers. */
  readonly training: Int32Array;
  /** The last tenth. */
  readonly validation: Int32Array;
}

/** The share of a text that judges and is not learned. */
const validationShare = 0.1;

/** Reads a text. @throws {UserError} if it cannot be read, or is too short to learn from in windows of `context` */
export async function readCorpus(path: string, context: number): Promise<Corpus> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${reasonOf(error)}); --text names a file of plain text`);
  }
  return corpusOf(text, context, path);
}

/** A text as numbers. @throws {UserError} if it is too short */
export function corpusOf(text: string, context: number, name = "the text"): Corpus {
  const alphabet = new Alphabet(text);
  const numbers = alphabet.encode(text);
  const end = Math.floor(numbers.length * (1 - validationShare));
  if (numbers.length - end <= context) {
    const needed = Math.ceil((context + 1) / validationShare);
    throw new UserError(
      `${name}: ${numbers.length} characters are too few for windows of ${context}; take ${needed} or more, or a shorter --context`,
    );
  }
  return { alphabet, training: numbers.subarray(0, end), validation: numbers.subarray(end) };
}
