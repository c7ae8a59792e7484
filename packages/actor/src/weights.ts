/** Versions of a model's parameters, as they come from its training. */
import type { MLXArray } from "mlx-ts";

/** All parameters of a model after so many steps. */
export interface WeightsVersion {
  /** The steps that were made. */
  readonly version: number;
  /** By dotted path. */
  readonly parameters: { readonly [path: string]: MLXArray };
}

/** One version, which is let go of when nobody uses it any more: memory need not wait for the collector. */
export class Weights implements WeightsVersion {
  readonly version: number;
  readonly parameters: { readonly [path: string]: MLXArray };
  #users = 1;

  constructor({ version, parameters }: WeightsVersion) {
    this.version = version;
    this.parameters = parameters;
  }

  /** One more user, who must call `release`. */
  retain(): this {
    this.#users++;
    return this;
  }

  /** One user less; after the last, the arrays go once what was to be computed from them is. */
  release(): void {
    if (--this.#users > 0) return;
    for (const array of Object.values(this.parameters)) array.dispose();
  }
}
