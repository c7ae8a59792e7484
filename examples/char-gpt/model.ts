/** The transformer: what it makes of whole windows, and of one character after another. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { UserError } from "../common/command.ts";

/** How large the model is. */
export interface ModelSize {
  readonly layers: number;
  /** Features of a character; a multiple of `headSize`. */
  readonly width: number;
  /** Characters that it looks back at, the current one among them. */
  readonly context: number;
}

/** Features of an attention head. */
const headSize = 32;

/** Keys and values of the latest characters, [1, heads, context, headSize] each; the oldest make room for new ones. */
export interface LayerMemory {
  keys: mx.MLXArray;
  values: mx.MLXArray;
}

/** Where a character stands when they come one at a time. */
interface Place {
  /** Counted from 0: int32 []. */
  readonly position: mx.MLXArray;
  /** The place of the memory that takes it, as a mask: bool [1, 1, context, 1]. */
  readonly isOwn: mx.MLXArray;
  /** The places of the memory that are filled: bool [1, 1, 1, context]. */
  readonly isFilled: mx.MLXArray;
}

/** Attention to earlier characters, with rotary positions. */
class Attention extends nn.Module {
  joined: nn.Linear;
  output: nn.Linear;
  readonly heads: number;

  constructor(width: number) {
    super();
    this.heads = width / headSize;
    this.joined = new nn.Linear(width, 3 * width, { bias: false });
    this.output = new nn.Linear(width, width, { bias: false });
  }

  /** [batch, time, width] → the same. */
  forward(x: mx.MLXArray): mx.MLXArray {
    const [queries, keys, values] = this.#project(x, 0);
    return this.#attend(queries, keys, values, "causal");
  }

  /** [1, 1, width] → the same; `memory` takes the character up. */
  next(x: mx.MLXArray, memory: LayerMemory, { position, isOwn, isFilled }: Place): mx.MLXArray {
    const [queries, keys, values] = this.#project(x, position);
    memory.keys = mx.where(isOwn, keys, memory.keys);
    memory.values = mx.where(isOwn, values, memory.values);
    return this.#attend(queries, memory.keys, memory.values, isFilled);
  }

  /** Queries, keys and values, [batch, heads, time, headSize]; the first is at `position`. */
  #project(x: mx.MLXArray, position: number | mx.MLXArray): readonly [mx.MLXArray, mx.MLXArray, mx.MLXArray] {
    const [batch = 1, time = 1] = x.shape;
    const parts = this.joined(x).reshape([batch, time, 3, this.heads, headSize]).transpose([2, 0, 3, 1, 4]);
    const turn = (y: mx.MLXArray): mx.MLXArray => mx.fast.rope(y, headSize, { offset: position });
    return [turn(parts.get(0)), turn(parts.get(1)), parts.get(2)];
  }

  #attend(queries: mx.MLXArray, keys: mx.MLXArray, values: mx.MLXArray, mask: "causal" | mx.MLXArray): mx.MLXArray {
    const attended = mx.fast.scaledDotProductAttention(queries, keys, values, { scale: headSize ** -0.5, mask });
    const [batch = 1, , time = 1] = queries.shape;
    return this.output(attended.transpose([0, 2, 1, 3]).reshape([batch, time, this.heads * headSize]));
  }
}

/** Attention, then two linear layers, each beside a shortcut. */
class Block extends nn.Module {
  norm1: nn.RMSNorm;
  attention: Attention;
  norm2: nn.RMSNorm;
  up: nn.Linear;
  down: nn.Linear;

  constructor(width: number) {
    super();
    this.norm1 = new nn.RMSNorm(width);
    this.attention = new Attention(width);
    this.norm2 = new nn.RMSNorm(width);
    this.up = new nn.Linear(width, 4 * width, { bias: false });
    this.down = new nn.Linear(4 * width, width, { bias: false });
    // A block that adds nothing at first lets the gradient through all of them.
    this.attention.output.weight = mx.zeros([width, width]);
    this.down.weight = mx.zeros([width, 4 * width]);
  }

  forward(x: mx.MLXArray): mx.MLXArray {
    return this.#transform(x.add(this.attention(this.norm1(x))));
  }

  next(x: mx.MLXArray, memory: LayerMemory, place: Place): mx.MLXArray {
    return this.#transform(x.add(this.attention.next(this.norm1(x), memory, place)));
  }

  #transform(x: mx.MLXArray): mx.MLXArray {
    return x.add(this.down(nn.gelu(this.up(this.norm2(x)))));
  }
}

/** Predicts the character that follows. */
export class CharacterModel extends nn.Module {
  table: nn.Embedding;
  blocks: Block[];
  norm: nn.RMSNorm;
  readonly context: number;
  readonly width: number;

  /** @throws {UserError} if the width is no multiple of a head's size */
  constructor(alphabetSize: number, { layers, width, context }: ModelSize) {
    super();
    if (width % headSize !== 0)
      throw new UserError(`--width ${width}: give a multiple of ${headSize}, the size of a head`);
    this.context = context;
    this.width = width;
    this.table = new nn.Embedding(alphabetSize, width);
    this.blocks = Array.from({ length: layers }, () => new Block(width));
    this.norm = new nn.RMSNorm(width);
  }

  /**
   * What follows each character, given those before it in its row.
   *
   * @param characters [batch, time], numbers of the alphabet
   * @returns [batch, time, alphabet], unnormalized log probabilities
   */
  forward(characters: mx.MLXArray): mx.MLXArray {
    const x = this.blocks.reduce((value, block) => block(value), this.table(characters));
    return this.table.asLinear(this.norm(x));
  }

  /** A memory that holds nothing yet. */
  emptyMemory(): LayerMemory[] {
    const shape = [1, this.width / headSize, this.context, headSize];
    return this.blocks.map(() => ({ keys: mx.zeros(shape), values: mx.zeros(shape) }));
  }

  /**
   * What follows one more character, at the cost of one character: what came before it is in `memory`, which takes it up.
   *
   * @param character [], a number of the alphabet
   * @param position [], int32: how many characters came before
   * @returns [alphabet], unnormalized log probabilities
   */
  next(character: mx.MLXArray, position: mx.MLXArray, memory: readonly LayerMemory[]): mx.MLXArray {
    const { context } = this;
    const places = mx.arange(context, { dtype: "int32" });
    const place = {
      position,
      isOwn: mx.equal(places, mx.remainder(position, context)).reshape([1, 1, context, 1]),
      isFilled: mx.lessEqual(places, position).reshape([1, 1, 1, context]),
    };
    let x = this.table(character.reshape([1, 1]));
    for (const [layer, block] of this.blocks.entries()) {
      const own = memory[layer];
      if (own) x = block.next(x, own, place);
    }
    return this.table.asLinear(this.norm(x)).reshape([-1]);
  }
}
