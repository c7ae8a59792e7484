/** How elements lie in the words of a buffer, and the texts that read and write them. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf } from "../../base/dtype.ts";
import { fromBits, toBits } from "./wgsl-operations.ts";
import type { Shader } from "./wgsl-shader.ts";
import { registerOf, typeName } from "./wgsl-types.ts";

/** How a shader uses a slot. */
export interface Usage {
  load: boolean;
  loadFour: boolean;
  /** Four float16 elements in registers of their own type, or the bits of eight. */
  loadHalves: boolean;
  loadEight: boolean;
  store: boolean;
  storeFour: boolean;
}

/** The type of the elements of a buffer as WGSL declares it: vectors if it is read and written by fours or eights. */
export function storageElement(dtype: Dtype, { loadFour, loadHalves, loadEight, store, storeFour }: Usage): string {
  const bytes = byteLengthOf(dtype);
  if (bytes < 4 && store) return "atomic<u32>";
  if (bytes === 1) return "u32";
  if (loadEight && !storeFour) return "vec4u";
  const isWide = !store && (loadFour || loadHalves || storeFour);
  if (bytes === 2) return isWide ? "vec2u" : "u32";
  const register = registerOf(dtype);
  return typeName(register, isWide ? 4 : 1);
}
/** Texts of the accesses to one buffer; `p` is a position in elements, `x` the value to write. */
export class ElementAccess {
  readonly #shader: Shader;
  readonly #dtype: Dtype;
  readonly #element: string;

  constructor(shader: Shader, dtype: Dtype, element: string) {
    this.#shader = shader;
    this.#dtype = dtype;
    this.#element = element;
  }

  get #bytes(): number {
    return byteLengthOf(this.#dtype);
  }

  /** The element at `p`. */
  load(buffer: string, p: string): string {
    if (this.#bytes === 4) return this.#isWide ? `${buffer}[${p} >> 2u][${p} & 3]` : `${buffer}[${p}]`;
    if (this.#dtype === "float16") return `unpack2x16float(${this.#wordAt(buffer, p)})[${p} & 1]`;
    const mask = this.#bytes === 1 ? "0xffu" : "0xffffu";
    return fromBits(this.#shader, this.#dtype, `((${this.#wordAt(buffer, p)} >> ${this.#shift(p)}) & ${mask})`, 1);
  }

  /** Four elements from `p` on, a multiple of four. */
  loadFour(buffer: string, p: string): string {
    switch (this.#bytes) {
      case 4: {
        if (this.#isWide) return `${buffer}[${p} >> 2u]`;
        const lanes = [0, 1, 2, 3].map((lane) => `${buffer}[${p} + ${lane}]`);
        return `${typeName(registerOf(this.#dtype), 4)}(${lanes.join(", ")})`;
      }
      case 2: {
        const [low, high] = [this.#wordAt(buffer, p), this.#wordAt(buffer, `${p} + 2`)];
        if (this.#dtype === "float16") {
          const pairs = this.#isPair ? ["x", "y"].map((half) => `${buffer}[${p} >> 2u].${half}`) : [low, high];
          return `vec4f(${pairs.map((pair) => `unpack2x16float(${pair})`).join(", ")})`;
        }
        const words = this.#isPair ? `${buffer}[${p} >> 2u].xxyy` : `vec4u(${low}, ${low}, ${high}, ${high})`;
        return fromBits(this.#shader, this.#dtype, `((${words} >> vec4u(0u, 16u, 0u, 16u)) & vec4u(0xffffu))`, 4);
      }
      default: {
        const bytes = `((vec4u(${this.#wordAt(buffer, p)}) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu))`;
        return fromBits(this.#shader, this.#dtype, bytes, 4);
      }
    }
  }

  /** Four float16 elements from `p` on, a multiple of four, in their own type. */
  loadHalves(buffer: string, p: string): string {
    if (this.#isPair) return `bitcast<vec4<f16>>(${buffer}[${p} >> 2u])`;
    return `bitcast<vec4<f16>>(vec2u(${this.#wordAt(buffer, p)}, ${this.#wordAt(buffer, `${p} + 2`)}))`;
  }

  /** The bits of eight elements of 16 bits from `p` on, a multiple of eight. */
  loadEight(buffer: string, p: string): string {
    if (this.#isWide && !this.#isPair) return `${buffer}[${p} >> 3u]`;
    const words = [0, 2, 4, 6].map((offset) => this.#wordAt(buffer, `${p} + ${offset}`));
    return `vec4u(${words.join(", ")})`;
  }

  /** A word that others may write parts of at the same time changes by two atomic steps. */
  store(buffer: string, p: string): string {
    if (this.#bytes === 4) return `${buffer}[${p}] = x;`;
    const word = `&${buffer}[${this.#word(p)}]`;
    const mask = this.#bytes === 1 ? "0xffu" : "0xffffu";
    const bits = toBits(this.#shader, this.#dtype, "x", 1);
    return `atomicAnd(${word}, ~(${mask} << ${this.#shift(p)})); atomicOr(${word}, ${bits} << ${this.#shift(p)});`;
  }

  /** Writes four elements from `p` on, a multiple of four. */
  storeFour(buffer: string, p: string): string {
    switch (this.#bytes) {
      case 4:
        if (this.#isWide) return `${buffer}[${p} >> 2u] = x;`;
        return [0, 1, 2, 3].map((lane) => `${buffer}[${p} + ${lane}] = x[${lane}];`).join(" ");
      case 2: {
        if (this.#isPair && this.#dtype === "float16" && this.#shader.packsHalves)
          return `${buffer}[${p} >> 2u] = vec2u(pack2x16float(x.xy), pack2x16float(x.zw));`;
        const bits = `let bits = ${toBits(this.#shader, this.#dtype, "x", 4)};`;
        if (this.#isWide) return `${bits} ${buffer}[${p} >> 2u] = bits.xz | (bits.yw << vec2u(16u));`;
        const low = this.#put(buffer, p, "bits.x | (bits.y << 16u)");
        return `${bits} ${low} ${this.#put(buffer, `${p} + 2`, "bits.z | (bits.w << 16u)")}`;
      }
      default: {
        const bits = `let bits = ${toBits(this.#shader, this.#dtype, "x", 4)} << vec4u(0u, 8u, 16u, 24u);`;
        return `${bits} ${this.#put(buffer, p, "bits.x | bits.y | bits.z | bits.w")}`;
      }
    }
  }

  get #isWide(): boolean {
    return this.#element.startsWith("vec");
  }

  get #isPair(): boolean {
    return this.#element === "vec2u";
  }

  get #isAtomic(): boolean {
    return this.#element.startsWith("atomic");
  }

  #word(p: string): string {
    return `(${p}) >> ${this.#bytes === 1 ? "2u" : "1u"}`;
  }

  #shift(p: string): string {
    return this.#bytes === 1 ? `(u32(${p} & 3) * 8u)` : `(u32(${p} & 1) * 16u)`;
  }

  #wordAt(buffer: string, p: string): string {
    if (this.#isAtomic) return `atomicLoad(&${buffer}[${this.#word(p)}])`;
    if (!this.#isWide) return `${buffer}[${this.#word(p)}]`;
    return this.#isPair ? `${buffer}[(${p}) >> 2u][((${p}) >> 1u) & 1]` : `${buffer}[(${p}) >> 3u][((${p}) >> 1u) & 3]`;
  }

  #put(buffer: string, p: string, bits: string): string {
    return this.#isAtomic
      ? `atomicStore(&${buffer}[${this.#word(p)}], ${bits});`
      : `${buffer}[${this.#word(p)}] = ${bits};`;
  }
}
