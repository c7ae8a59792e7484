/** Writes WebAssembly modules: sections of types, imports, exports and the functions that builders have written. */
import type { OwnBytes } from "../../base/elements.ts";
import { remembered } from "../../base/remembered.ts";
import { FunctionBuilder, type FunctionType, VALUE_TYPE_CODE } from "./assembler.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { OpName } from "./opcodes.ts";

/** The memory that a module imports as "e"."m". */
export interface MemoryOptions {
  readonly shared: boolean;
  /** In pages of 64 KiB. */
  readonly minimumPages: number;
  /** In pages of 64 KiB. */
  readonly maximumPages: number;
}

/** Writes one module: functions over one imported 32-bit memory. */
export class ModuleBuilder {
  readonly #memory: MemoryOptions;
  readonly #types = new Map<string, { readonly index: number; readonly type: FunctionType }>();
  readonly #imports: { readonly name: string; readonly typeIndex: number }[] = [];
  /** Those without a name are not exported. */
  readonly #functions: {
    readonly name: string | null;
    readonly typeIndex: number;
    readonly builder: FunctionBuilder;
  }[] = [];

  constructor(options: MemoryOptions) {
    this.#memory = options;
  }

  /** Handle of the function imported from module "e" under `name`. A second import of a name gives the first's handle. */
  importFunction(name: string, type: FunctionType): number {
    const typeIndex = this.#typeIndex(type);
    const known = this.#imports.findIndex((entry) => entry.name === name);
    if (known < 0) return -this.#imports.push({ name, typeIndex }); // handles below 0 are imports
    if (this.#imports[known]?.typeIndex !== typeIndex) throw new Error(`"${name}" is imported with two types`);
    return -1 - known;
  }

  /** Adds a function, written by `body`, and returns its handle. It is exported as `name`, or not if that is null. */
  addFunction(name: string | null, type: FunctionType, body: (f: FunctionBuilder) => void): number {
    const builder = new FunctionBuilder(type, (...request) => this.importFunction(...request));
    const handle = this.#functions.push({ name, typeIndex: this.#typeIndex(type), builder }) - 1;
    body(builder);
    return handle;
  }

  /** The instructions without immediates of all functions. */
  get instructions(): ReadonlySet<OpName> {
    return new Set(this.#functions.flatMap(({ builder }) => [...builder.instructions]));
  }

  /** The module's bytes. */
  build(): OwnBytes {
    const out = new ByteWriter();
    out.append(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)); // "\0asm", version 1
    const section = (id: number, count: number, write: (content: ByteWriter) => void): void => {
      const content = new ByteWriter();
      content.unsigned(count);
      write(content);
      out.byte(id);
      out.unsigned(content.length);
      out.append(content.view());
    };

    section(1, this.#types.size, (content) => {
      for (const { type } of this.#types.values()) {
        content.byte(0x60);
        for (const list of [type.params, type.results]) {
          content.unsigned(list.length);
          for (const valueType of list) content.byte(VALUE_TYPE_CODE[valueType]);
        }
      }
    });
    section(2, 1 + this.#imports.length, (content) => {
      content.name("e");
      content.name("m");
      content.byte(0x02);
      content.byte(this.#memory.shared ? 0x03 : 0x01);
      content.unsigned(this.#memory.minimumPages);
      content.unsigned(this.#memory.maximumPages);
      for (const { name, typeIndex } of this.#imports) {
        content.name("e");
        content.name(name);
        content.byte(0x00);
        content.unsigned(typeIndex);
      }
    });
    section(3, this.#functions.length, (content) => {
      for (const { typeIndex } of this.#functions) content.unsigned(typeIndex);
    });
    const indexOf = (handle: number): number => (handle < 0 ? -1 - handle : this.#imports.length + handle);
    const exported = this.#functions.flatMap(({ name }, handle) => (name === null ? [] : [{ name, handle }]));
    section(7, exported.length, (content) => {
      for (const { name, handle } of exported) {
        content.name(name);
        content.byte(0x00);
        content.unsigned(indexOf(handle));
      }
    });
    section(10, this.#functions.length, (content) => {
      for (const { builder } of this.#functions) builder.finish(content, indexOf);
    });
    return out.copy();
  }

  #typeIndex(type: FunctionType): number {
    const key = `${type.params}:${type.results}`;
    return remembered(this.#types, key, () => ({ index: this.#types.size, type })).index;
  }
}
