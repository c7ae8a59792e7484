/** Lets the model write: it draws a character, and goes on from there. */
import * as mx from "mlx-ts";
import { UserError } from "../common/command.ts";
import type { CharacterModel } from "./model.ts";
import type { Alphabet } from "./text.ts";

/** How to draw. */
export interface SamplingOptions {
  /** Characters to write. */
  readonly length: number;
  /** Below 1, likely characters become likelier; above, less likely. */
  readonly temperature: number;
  /** Only so many of the likeliest characters can be drawn. */
  readonly topK: number;
}

/** A character drawn from unnormalized log probabilities, [alphabet]: its number, []. */
export function draw(logits: mx.MLXArray, { temperature, topK }: Omit<SamplingOptions, "length">): mx.MLXArray {
  const scaled = logits.div(temperature);
  const kept = Math.min(topK, logits.size);
  const least = mx.topK(scaled, kept).min();
  return mx.random.categorical(mx.where(scaled.less(least), Number.NEGATIVE_INFINITY, scaled)).asType("int32");
}

/**
 * Writes on from `prompt`, a character at a time.
 *
 * @throws {UserError} if the prompt is empty, or has a character that the alphabet lacks
 */
export async function* write(
  model: CharacterModel,
  alphabet: Alphabet,
  prompt: string,
  options: SamplingOptions,
): AsyncGenerator<string, void, void> {
  const [first, ...given] = alphabet.encode(prompt);
  if (first === undefined) throw new UserError("--prompt is empty: give at least one character to write on from");
  model.eval();
  const memory = model.emptyMemory();
  const step = mx.compile(
    (character: mx.MLXArray, position: mx.MLXArray) => draw(model.next(character, position, memory), options),
    { inputs: [model, memory, mx.random.state], outputs: [memory, mx.random.state] },
  );
  let character = mx.array(first, "int32");
  for (let position = 0; position < given.length + options.length; position++) {
    const drawn = step(character, mx.array(position, "int32"));
    await mx.evaluate(drawn, memory);
    const next = given[position];
    character = next === undefined ? drawn : mx.array(next, "int32");
    if (next === undefined) yield alphabet.decode(Number(await drawn.item()));
  }
}
