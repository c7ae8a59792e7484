/** The text of one compute shader while it is written: declarations, the functions it uses, and the body of `main`. */
import { MLXError } from "../../base/errors.ts";
import { libraryFunction } from "./wgsl-library.ts";
import type { Lanes } from "./wgsl-types.ts";

/** What `main` takes. */
const inputs = "@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32";

/** Types that look like numbered names. */
const typeNames: ReadonlySet<string> = new Set(["f16", "f32", "i32", "u32"]);

/**
 * Collects a shader. Its entry point sees `workgroup: vec3u` (the workgroup's place in the grid) and `thread: u32` (the
 * thread's place in its workgroup).
 */
export class Shader {
  readonly #enabled = new Set<string>();
  readonly #silenced = new Set<string>();
  readonly #declarations = new Set<string>();
  readonly #functions = new Map<string, string>();
  readonly #lines: string[] = [];
  #depth = 1;
  #names = 0;
  #packsHalves = false;
  #roundsIntegers = false;

  /** A name that nothing else has. */
  name(prefix: string): string {
    const name = `${prefix}${this.#names++}`;
    return typeNames.has(name) ? this.name(prefix) : name;
  }

  /** Adds a line to the body. */
  line(text: string): void {
    this.#lines.push("  ".repeat(this.#depth) + text);
  }

  /** Adds `let name = text;` and returns the name. */
  let(prefix: string, text: string): string {
    const name = this.name(prefix);
    this.line(`let ${name} = ${text};`);
    return name;
  }

  /** The name of a value: `text` itself if it is one. */
  named(prefix: string, text: string): string {
    return /^[a-z]\w*$/.test(text) ? text : this.let(prefix, text);
  }

  /** Adds `header { … }` around what `body` adds; in its own scope without a header. */
  block(header: string, body: () => void): void {
    this.line(header === "" ? "{" : `${header} {`);
    this.#depth++;
    body();
    this.#depth--;
    this.line("}");
  }

  /** Whether `pack2x16float` rounds as the library does, as a trial of the device has shown. */
  get packsHalves(): boolean {
    return this.#packsHalves;
  }

  /** Lets functions of halves be the device's own instructions; said before any of them is called. */
  packHalves(): void {
    this.#packsHalves = true;
  }

  /** Whether the device's own conversions of integers give the nearest float32. */
  get roundsIntegers(): boolean {
    return this.#roundsIntegers;
  }

  /** Lets conversions of integers be the device's own. */
  roundIntegers(): void {
    this.#roundsIntegers = true;
  }

  /** Adds a declaration outside of functions, once. */
  declare(text: string): void {
    this.#declarations.add(text);
  }

  /** Adds `enable feature;`. */
  enable(feature: string): void {
    this.#enabled.add(feature);
  }

  /** Turns a rule of the compiler off that the shader keeps, but not visibly. */
  silence(rule: string): void {
    this.#silenced.add(rule);
  }

  /** The text of a call of a library function on arguments of `lanes` lanes; the function becomes part of the shader. */
  call(name: string, lanes: Lanes, ...operands: readonly string[]): string {
    return `${this.function(name, lanes)}(${operands.join(", ")})`;
  }

  /** The name of a library function, which becomes part of the shader. */
  function(name: string, lanes: Lanes = 1): string {
    const full = lanes === 1 ? name : `${name}4`;
    if (!this.#functions.has(full)) {
      const found = libraryFunction(name, lanes, this.#packsHalves);
      if (!found) throw new MLXError("wgsl", `there is no library function ${full}`);
      this.#functions.set(full, found.text);
      for (const needed of found.needs) this.function(needed.name, needed.lanes);
    }
    return full;
  }

  /** The finished text for workgroups of this many threads. */
  build(threads: number): string {
    const body = this.#lines.join("\n");
    // Constants call it by name without asking for it.
    if (/\bfloat_of\(/.test(body + [...this.#declarations].join())) this.function("float_of");
    return [
      ...[...this.#enabled].map((feature) => `enable ${feature};`),
      ...[...this.#silenced].map((rule) => `diagnostic(off, ${rule});`),
      ...this.#declarations,
      ...this.#functions.values(),
      `@compute @workgroup_size(${threads}) fn main(${inputs}) {`,
      body,
      "}",
      "",
    ].join("\n");
  }
}
