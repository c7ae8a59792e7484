/**
 * Attention with rows in registers: neighbouring threads, the lanes of an owner, share the features of a few rows that they own,
 * and go past all rows of the other side, which caches bring to everybody. No workgroup memory, no barriers.
 */
import type { Attention } from "../../compiler/attention-lengths.ts";
import { lowestScore, noScore } from "./attention-mask.ts";
import type { GpuTarget } from "./kernel-code.ts";
import type { ShaderMemory } from "./wgsl-memory.ts";
import type { Shader } from "./wgsl-shader.ts";

/** How rows are spread over threads. */
export interface Lanes {
  /** Threads that share rows. */
  readonly lanes: number;
  /** Rows of an owner. */
  readonly rows: number;
}

/** Where four scores stand: texts of an i32, or of a vec4i. */
export interface ScorePlace {
  readonly query: string;
  readonly key: string;
}

/** Threads of a workgroup. */
export const threads = 64;
/** Rows of the other side that are taken at a time. */
export const step = 4;
/** Lanes of an owner at most. */
const mostLanes = 8;
/** Features of a lane that its registers hold, of all rows together. */
const registers = 128;
/** Rows of features that an owner keeps of a query: its own, and those summed. */
const kept = 2;
/** Threads from which a GPU is busy. */
const busyThreads = 32_768;

/**
 * How the queries of an attention are spread; null if features fill no vectors, or threads cannot share rows. Four queries an
 * owner, so that what is loaded serves four times, where that leaves enough threads.
 */
export function lanesFor({ heads, queries, features, valueFeatures }: Attention, target: GpuTarget): Lanes | null {
  if (features % 4 !== 0 || valueFeatures % 4 !== 0) return null;
  const most = Math.max(features, valueFeatures);
  const limit = Math.min(target.subgroups?.min ?? 1, mostLanes);
  const threadsOf = (lanes: number, rows: number): number => ((heads * queries) / rows) * lanes;
  for (const rows of [4, 2]) {
    let lanes = 1;
    while ((most / lanes) * rows * kept > registers) lanes *= 2;
    while (lanes * 2 <= limit && most / lanes >= 16 && threadsOf(lanes, rows) < busyThreads) lanes *= 2;
    if (lanes <= limit && (rows === 2 || threadsOf(lanes, rows) >= busyThreads)) return { lanes, rows };
  }
  return null;
}

/** Writes what the kernels of this kind share. */
export class LaneWriter {
  readonly shader: Shader;
  readonly memory: ShaderMemory;
  readonly attention: Attention;
  readonly lanes: number;

  constructor(shader: Shader, memory: ShaderMemory, attention: Attention, lanes: number) {
    this.shader = shader;
    this.memory = memory;
    this.attention = attention;
    this.lanes = lanes;
    if (lanes > 1) shader.enable("subgroups");
    shader.line("let own = i32(thread);");
    shader.line(`let lane = own % ${lanes};`);
  }

  /** Vectors of a row of so many features that a lane has. */
  vectors(features: number): number {
    return Math.ceil(features / 4 / this.lanes);
  }

  /** The texts of a lane's vectors of the row that begins at element `row`; 0 beyond the features. */
  load(slot: number, row: string, features: number): readonly string[] {
    const { shader, memory, lanes } = this;
    return Array.from({ length: this.vectors(features) }, (_, k) => {
      const isWhole = (k + 1) * lanes * 4 <= features;
      if (isWhole) return shader.let("x", memory.loadFour(slot, `${row} + lane * 4 + ${k * lanes * 4}`));
      const column = shader.let("column", `lane * 4 + ${k * lanes * 4}`);
      const value = memory.loadFour(slot, `${row} + min(${column}, ${features - 4})`);
      return shader.let("x", `select(vec4f(), ${value}, ${column} < ${features})`);
    });
  }

  /** Writes a lane's vectors to the row that begins at element `row`. */
  store(slot: number, row: string, features: number, values: readonly string[]): void {
    const { shader, memory, lanes } = this;
    for (const [k, value] of values.entries()) {
      const column = shader.let("column", `lane * 4 + ${k * lanes * 4}`);
      const write = (): void => shader.line(memory.storeFour(slot, `${row} + ${column}`, value));
      if ((k + 1) * lanes * 4 <= features) write();
      else shader.block(`if (${column} < ${features})`, write);
    }
  }

  /** The text of what this lane has of the inner product of two rows. */
  product(a: readonly string[], b: readonly string[]): string {
    let sum = "";
    for (const [k, left] of a.entries()) {
      for (const lane of "xyzw") {
        const [x, y] = [`${left}.${lane}`, `${b[k]}.${lane}`];
        sum = sum === "" ? `${x} * ${y}` : `fma(${x}, ${y}, ${sum})`;
      }
    }
    return sum;
  }

  /** Adds up `name` over the lanes of an owner. */
  join(name: string): void {
    for (let distance = 1; distance < this.lanes; distance *= 2)
      this.shader.line(`${name} += subgroupShuffleXor(${name}, ${distance}u);`);
  }

  /** Changes four scores, a variable: what a query does not see. */
  mask(scores: string, place: ScorePlace, maskBase: string | null, maskSlot: number): void {
    const { shader } = this;
    const { keys, isCausal, mask } = this.attention;
    if (isCausal) shader.line(`${scores} = select(vec4f(${lowestScore}), ${scores}, ${this.#seenInTime(place)});`);
    else if (mask && maskBase !== null) {
      const given = this.#given(place, maskBase, maskSlot);
      shader.line(
        mask.dtype === "bool"
          ? `${scores} = select(vec4f(${lowestScore}), ${scores}, vec4<bool>(${given}));`
          : `${scores} += vec4f(${given});`,
      );
    }
    // Beyond the last key there is nothing, not even a score that is not seen.
    if (keys % step === 0) return;
    shader.line(`${scores} = select(vec4f(${noScore}), ${scores}, vec4i(${place.key}) < vec4i(${keys}));`);
  }

  #seenInTime({ query, key }: ScorePlace): string {
    const { keys, queries } = this.attention;
    return `vec4i(${key}) <= vec4i(${query}) + vec4i(${keys - queries})`;
  }

  /** The texts of four elements of the mask. */
  #given({ query, key }: ScorePlace, maskBase: string, maskSlot: number): string {
    const { mask, keys, queries } = this.attention;
    const row = `min(vec4i(${query}), vec4i(${queries - 1})) * ${mask?.query ?? 0}`;
    const column = `min(vec4i(${key}), vec4i(${keys - 1})) * ${mask?.key ?? 0}`;
    const at = this.shader.let("at", `vec4i(${maskBase}) + ${row} + ${column}`);
    return ["x", "y", "z", "w"].map((part) => this.memory.load(maskSlot, `${at}.${part}`)).join(", ");
  }
}
