/** Muon: momentum made orthogonal. */
import { constructorOptions, count, flag, fromZero, partialShare } from "../base/rules.ts";
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, square, subtract } from "../primitives/arithmetic.ts";
import { addmm, matmul } from "../primitives/contraction.ts";
import { sqrt } from "../primitives/exponential.ts";
import { sum } from "../primitives/reductions.ts";
import { reshape, transpose } from "../primitives/views.ts";
import type { OptimizerOptions, ParameterState } from "./optimizer.ts";
import { Optimizer, optimizerRules, remembered, zeroState } from "./optimizer.ts";

/** The options of `Muon`. */
export interface MuonOptions extends OptimizerOptions {
  /** How much of its velocity a parameter keeps; 0.95 unless given. */
  readonly momentum?: number | undefined;
  /** Added to the gradient times the parameter; 0.01 unless given. */
  readonly weightDecay?: number | undefined;
  /** Whether to look ahead along the velocity; true unless given. */
  readonly nesterov?: boolean | undefined;
  /** Iterations of Newton and Schulz; 5 unless given. */
  readonly nsSteps?: number | undefined;
}

/** Coefficients of the iteration `X ← a · X + (b · A + c · A²) · X` with `A = X · Xᵀ`. Source: Jordan et al. 2024. */
const [a, b, c] = [3.4445, -4.775, 2.0315];

/**
 * Momentum whose update of a matrix is brought near the closest orthogonal one; axes behind the first are taken as one. Vectors
 * and scalars move along the momentum itself. For embeddings, the last layer and vectors another optimizer serves better: see
 * `MultiOptimizer`. Source: Jordan et al. 2024.
 *
 * @throws {ArgumentError} for a number of iterations that is none
 * @example
 * const optimizer = new optim.Muon({ learningRate: 0.1, weightDecay: 0 });
 * const changed = optimizer.applyGradients({ w: array([[3, 0], [0, -0.5]]) }, { w: ones([2, 2]) });
 * await changed.w.tolist(); // ≈ [[0.92864, 1], [1, 1.1042]]
 */
export class Muon extends Optimizer {
  static override readonly name: string = "Muon";

  readonly momentum: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
  readonly nsSteps: number;

  constructor(options: MuonOptions) {
    super(options);
    const rules = {
      ...optimizerRules,
      momentum: partialShare,
      weightDecay: fromZero,
      nesterov: flag,
      nsSteps: count,
    };
    const own = constructorOptions("Muon", new.target === Muon, options, rules);
    const { momentum = 0.95, weightDecay = 0.01, nesterov = true, nsSteps = 5 } = own;
    this.momentum = momentum;
    this.weightDecay = weightDecay;
    this.nesterov = nesterov;
    this.nsSteps = nsSteps;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "v");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const { momentum, weightDecay } = this;
    const slope = weightDecay === 0 ? gradient : add(gradient, multiply(parameter, weightDecay));
    const v = add(multiply(remembered("Muon", state, "v"), momentum), multiply(slope, 1 - momentum));
    state.v = v;
    const direction = this.nesterov ? add(multiply(slope, 1 - momentum), multiply(v, momentum)) : v;
    const rate = this.rateFor(gradient);
    if (direction.ndim < 2) return subtract(parameter, multiply(rate, direction));
    const matrix = reshape(direction, [direction.shape[0] ?? 1, sizeOf(direction.shape.slice(1))]);
    const update = reshape(orthogonal(matrix, this.nsSteps), direction.shape);
    const [rows = 1, columns = 1] = direction.shape.slice(-2);
    const scale = Math.sqrt(Math.max(1, rows / columns));
    return subtract(parameter, multiply(multiply(rate, scale), update));
  }
}

/** Near the orthogonal matrix closest to `x`: singular values are driven towards 1. */
function orthogonal(x: MLXArray, steps: number): MLXArray {
  const [rows = 0, columns = 0] = x.shape;
  if (rows > columns) return transpose(orthogonal(transpose(x), steps));
  let result = divide(x, add(sqrt(sum(square(x), undefined, { keepAxes: true })), 1e-7));
  for (let step = 0; step < steps; step++) {
    const products = matmul(result, transpose(result));
    const factor = addmm(multiply(products, b), products, products, { alpha: c });
    result = addmm(multiply(result, a), factor, result);
  }
  return result;
}
