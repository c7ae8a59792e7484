/** The kernels that a thread of the pool has compiled, by the slots in which the pool knows them. */
import type { KernelFunction, ThreadScope } from "./pool-host.ts";

/** The kernels of one thread. */
export interface ThreadKernels {
  /** Gives the exports of a kernel that this thread need not compile. */
  install(slot: number, version: number, instance: WebAssembly.Instance): readonly KernelFunction[];
  /** The functions of a kernel, compiled from its record if this thread does not have them yet. */
  load(record: number, slot: number, version: number): readonly KernelFunction[];
}

/** A thread's kernels, none so far. Runs in workers from its text: it refers to nothing outside itself. */
export function keepKernels({ layout, host, shared }: ThreadScope): ThreadKernels {
  const loaded: { version: number; functions: readonly KernelFunction[]; instance: WebAssembly.Instance }[] = [];

  const install: ThreadKernels["install"] = (slot, version, instance) => {
    const functions = Object.values(instance.exports).filter(
      (value): value is KernelFunction => typeof value === "function",
    );
    loaded[slot] = { version, functions, instance };
    return functions;
  };

  /** The module's bytes, which follow the record, in memory that is not shared. */
  const bytesOf = (at: number): Uint8Array<ArrayBuffer> => {
    const byteLength = shared.reach(at + layout.recordWords)[at + layout.byteLength] ?? 0;
    const begin = at + layout.recordWords;
    const { buffer } = shared.reach(begin + ((byteLength + 3) >>> 2));
    const bytes = new Uint8Array(byteLength);
    bytes.set(new Uint8Array(buffer, begin * 4, byteLength));
    return bytes;
  };

  /** What a kernel imports: functions of `Math`, the pool's, the memory, and the exports of its libraries. */
  const importsOf = (at: number): WebAssembly.ModuleImports => {
    const own: WebAssembly.ModuleImports = Object.assign(Object.create(Math), host.imports, { m: host.memory });
    for (let from = at; ; ) {
      const { words } = shared;
      const library = words[from + layout.libraryRecord] ?? 0;
      if (library === 0) return own;
      const slot = words[from + layout.librarySlot] ?? 0;
      load(library, slot, words[from + layout.libraryVersion] ?? 0);
      Object.assign(own, loaded[slot]?.instance.exports);
      from = library >>> 2;
    }
  };

  const load: ThreadKernels["load"] = (record, slot, version) => {
    const known = loaded[slot];
    if (known !== undefined && known.version === version) return known.functions;
    const at = record >>> 2;
    const bytes = bytesOf(at);
    const own = importsOf(at);
    return install(slot, version, new WebAssembly.Instance(host.compile(bytes), { e: own }));
  };

  return { install, load };
}
