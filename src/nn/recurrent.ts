/** Layers that walk along a sequence. */

import { ShapeError } from "../base/errors.ts";
import { callable, constructorOptions, flag, requireValues, size } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, multiply, subtract } from "../primitives/arithmetic.ts";
import { addmm, matmul } from "../primitives/contraction.ts";
import { sigmoid } from "../primitives/exponential.ts";
import { stack } from "../primitives/joining.ts";
import { sliceAxis } from "../primitives/slicing.ts";
import { tanh } from "../primitives/trigonometry.ts";
import { reshape, transpose } from "../primitives/views.ts";
import type { BiasOptions } from "./linear.ts";
import { biasRules, uniformWithin } from "./linear.ts";
import { Module } from "./module.ts";

/** The options of `RNN`. */
export interface RNNOptions extends BiasOptions {
  /** `tanh` unless given. */
  readonly nonlinearity?: ((x: MLXArray) => MLXArray) | undefined;
}

/**
 * A plain recurrent layer: `h[t] = nonlinearity(x[t] @ Wxhᵀ + bias + h[t-1] @ Whhᵀ)`. Source: Elman 1990.
 *
 * @example
 * new nn.RNN(3, 5)(zeros([2, 7, 3])).shape; // [2, 7, 5]
 */
export class RNN extends Module {
  static override readonly name: string = "RNN";

  /** [hiddenSize, inputSize] */
  Wxh: MLXArray;
  /** [hiddenSize, hiddenSize] */
  Whh: MLXArray;
  bias?: MLXArray | undefined;
  readonly hiddenSize: number;
  readonly nonlinearity: (x: MLXArray) => MLXArray;

  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    super();
    const rules = { bias: flag, nonlinearity: callable };
    const { bias = true, nonlinearity = tanh } = constructorOptions("RNN", new.target === RNN, options, rules);
    requireValues("RNN", size, { inputSize, hiddenSize });
    const limit = 1 / Math.sqrt(hiddenSize);
    this.hiddenSize = hiddenSize;
    this.nonlinearity = nonlinearity;
    this.Wxh = uniformWithin(limit, [hiddenSize, inputSize]);
    this.Whh = uniformWithin(limit, [hiddenSize, hiddenSize]);
    if (bias) this.bias = uniformWithin(limit, [hiddenSize]);
  }

  /**
   * @param x [..., time, inputSize]
   * @param hidden the state before the first step, [..., hiddenSize]
   * @returns the states, [..., time, hiddenSize]
   */
  forward(x: MLXArray, hidden?: MLXArray): MLXArray {
    const recurrent = transpose(this.Whh);
    let state = hidden;
    const states = steps("RNN", project(x, this.Wxh, this.bias)).map((input) => {
      state = this.nonlinearity(state ? addmm(input, state, recurrent) : input);
      return state;
    });
    return stack(states, -2);
  }

  override describeExtra(): string {
    return `${this.Wxh.shape[1]} → ${this.hiddenSize}`;
  }
}

/**
 * A gated recurrent unit. With `r = σ(Wxr x + Whr h + br)` and `z = σ(Wxz x + Whz h + bz)`, the new state is
 * `(1 - z) · tanh(Wxn x + bn + r · (Whn h + bhn)) + z · h`. Source: Cho et al. 2014.
 *
 * @example
 * new nn.GRU(3, 5)(zeros([2, 7, 3])).shape; // [2, 7, 5]
 */
export class GRU extends Module {
  static override readonly name: string = "GRU";

  /** [3 · hiddenSize, inputSize]: r, z, n */
  Wx: MLXArray;
  /** [3 · hiddenSize, hiddenSize]: r, z, n */
  Wh: MLXArray;
  /** [3 · hiddenSize]: r, z, n */
  b?: MLXArray | undefined;
  /** [hiddenSize] */
  bhn?: MLXArray | undefined;
  readonly hiddenSize: number;

  constructor(inputSize: number, hiddenSize: number, options: BiasOptions = {}) {
    super();
    const { bias = true } = constructorOptions("GRU", new.target === GRU, options, biasRules);
    requireValues("GRU", size, { inputSize, hiddenSize });
    const limit = 1 / Math.sqrt(hiddenSize);
    this.hiddenSize = hiddenSize;
    this.Wx = uniformWithin(limit, [3 * hiddenSize, inputSize]);
    this.Wh = uniformWithin(limit, [3 * hiddenSize, hiddenSize]);
    if (bias) {
      this.b = uniformWithin(limit, [3 * hiddenSize]);
      this.bhn = uniformWithin(limit, [hiddenSize]);
    }
  }

  /**
   * @param x [..., time, inputSize]
   * @param hidden the state before the first step, [..., hiddenSize]
   * @returns the states, [..., time, hiddenSize]
   */
  forward(x: MLXArray, hidden?: MLXArray): MLXArray {
    const recurrent = transpose(this.Wh);
    let state = hidden;
    const states = steps("GRU", project(x, this.Wx, this.b)).map((input) => {
      state = this.#step(input, state, recurrent);
      return state;
    });
    return stack(states, -2);
  }

  #step(input: MLXArray, state: MLXArray | undefined, recurrent: MLXArray): MLXArray {
    const [inputR, inputZ, inputN] = three(input, this.hiddenSize);
    if (!state) {
      const reset = sigmoid(inputR);
      const candidate = tanh(this.bhn ? add(inputN, multiply(reset, this.bhn)) : inputN);
      return multiply(subtract(1, sigmoid(inputZ)), candidate);
    }
    const [stateR, stateZ, stateN] = three(matmul(state, recurrent), this.hiddenSize);
    const reset = sigmoid(add(inputR, stateR));
    const update = sigmoid(add(inputZ, stateZ));
    const candidate = tanh(add(inputN, multiply(reset, this.bhn ? add(stateN, this.bhn) : stateN)));
    return add(multiply(subtract(1, update), candidate), multiply(update, state));
  }

  override describeExtra(): string {
    return `${this.Wx.shape[1]} → ${this.hiddenSize}`;
  }
}

/**
 * A long short-term memory. With gates `i, f, o = σ(…)` and `g = tanh(…)` of `Wx x + Wh h + bias`, the cell becomes
 * `f · c + i · g` and the state `o · tanh(c)`. Source: Hochreiter & Schmidhuber 1997.
 *
 * @example
 * const [states, cells] = new nn.LSTM(3, 5)(zeros([2, 7, 3]));
 * cells.shape; // [2, 7, 5]
 */
export class LSTM extends Module {
  static override readonly name: string = "LSTM";

  /** [4 · hiddenSize, inputSize]: i, f, g, o */
  Wx: MLXArray;
  /** [4 · hiddenSize, hiddenSize]: i, f, g, o */
  Wh: MLXArray;
  /** [4 · hiddenSize]: i, f, g, o */
  bias?: MLXArray | undefined;
  readonly hiddenSize: number;

  constructor(inputSize: number, hiddenSize: number, options: BiasOptions = {}) {
    super();
    const { bias = true } = constructorOptions("LSTM", new.target === LSTM, options, biasRules);
    requireValues("LSTM", size, { inputSize, hiddenSize });
    const limit = 1 / Math.sqrt(hiddenSize);
    this.hiddenSize = hiddenSize;
    this.Wx = uniformWithin(limit, [4 * hiddenSize, inputSize]);
    this.Wh = uniformWithin(limit, [4 * hiddenSize, hiddenSize]);
    if (bias) this.bias = uniformWithin(limit, [4 * hiddenSize]);
  }

  /**
   * @param x [..., time, inputSize]
   * @param hidden the state before the first step, [..., hiddenSize]
   * @param cell the cell before the first step, [..., hiddenSize]
   * @returns the states and the cells, [..., time, hiddenSize] each
   */
  forward(x: MLXArray, hidden?: MLXArray, cell?: MLXArray): [MLXArray, MLXArray] {
    const recurrent = transpose(this.Wh);
    const [states, cells]: [MLXArray[], MLXArray[]] = [[], []];
    let [state, memory] = [hidden, cell];
    for (const input of steps("LSTM", project(x, this.Wx, this.bias))) {
      const gates = state ? addmm(input, state, recurrent) : input;
      const [i, f, g, o] = [0, 1, 2, 3].map((k) =>
        sliceAxis(gates, gates.ndim - 1, k * this.hiddenSize, this.hiddenSize),
      );
      const fresh = multiply(sigmoid(i ?? gates), tanh(g ?? gates));
      memory = memory ? add(multiply(sigmoid(f ?? gates), memory), fresh) : fresh;
      state = multiply(sigmoid(o ?? gates), tanh(memory));
      states.push(state);
      cells.push(memory);
    }
    return [stack(states, -2), stack(cells, -2)];
  }

  override describeExtra(): string {
    return `${this.Wx.shape[1]} → ${this.hiddenSize}`;
  }
}

/** The part of a recurrent layer that does not depend on its state, for all steps at once. */
function project(x: MLXArray, weight: MLXArray, bias: MLXArray | undefined): MLXArray {
  return bias ? addmm(bias, x, transpose(weight)) : matmul(x, transpose(weight));
}

/** [..., time, features] → time times [..., features]. @throws {ShapeError} without an axis of time, or steps on it */
function steps(layer: string, x: MLXArray): MLXArray[] {
  const axis = x.ndim - 2;
  if (!x.shape[axis]) {
    const shape = `[${[...x.shape.slice(0, -1), "features"]}]`;
    throw new ShapeError(layer, `takes [..., time, features] with one step of time at least, got ${shape}`);
  }
  const shape = x.shape.toSpliced(axis, 1);
  return Array.from({ length: x.shape[axis] ?? 0 }, (_, time) => reshape(sliceAxis(x, axis, time, 1), shape));
}

function three(x: MLXArray, size: number): [MLXArray, MLXArray, MLXArray] {
  const part = (k: number): MLXArray => sliceAxis(x, x.ndim - 1, k * size, size);
  return [part(0), part(1), part(2)];
}
