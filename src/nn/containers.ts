/** Modules that hold others. */
import { describeValue } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { Module } from "./module.ts";

/** A module, or a plain function, of one array. */
export type Layer = (x: MLXArray) => MLXArray;

/**
 * Layers in a row: each takes what the one before returns. Plain functions are layers too. The types of the layers are
 * kept, so that gradients are typed.
 *
 * @example
 * const model = new nn.Sequential(new nn.Linear(2, 8), nn.relu, new nn.Linear(8, 1));
 * model(zeros([5, 2])).shape; // [5, 1]
 * model.layers[0].weight.shape; // [8, 2]
 */
export class Sequential<L extends readonly Layer[] = readonly Layer[]> extends Module {
  static override readonly name: string = "Sequential";

  // The same as L; said like this, TypeScript compares two Sequentials by what they hold, so that each is an `nn.Sequential`.
  layers: { [K in keyof L]: L[K] };

  constructor(...layers: L) {
    super();
    layers.forEach((layer, k) => {
      if (isClass(layer))
        throw new ArgumentError("Sequential", `layer ${k} is the class ${layer.name}; write new ${layer.name}(…)`);
      if (typeof layer === "function") return;
      throw new ArgumentError("Sequential", `layer ${k} is ${describeValue(layer)}, not a module or a function`);
    });
    this.layers = layers;
  }

  forward(x: MLXArray): MLXArray {
    return this.layers.reduce((value, layer) => layer(value), x);
  }
}

function isClass(layer: unknown): layer is typeof Module {
  return typeof layer === "function" && layer.prototype instanceof Module;
}
