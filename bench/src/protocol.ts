/** What the benchmark and the processes of the libraries say to each other. */
/** To a library's process: set a row up and run it once, or run it again and again for some time. */
export type Request =
  | { readonly kind: "prepare"; readonly row: string }
  | { readonly kind: "measure"; readonly milliseconds: number };

/** From a library's process. Times are per operation. */
export type Reply =
  | {
      readonly kind: "ready";
      readonly versions: Readonly<Record<string, string>>;
      readonly firstMilliseconds: number;
    }
  | {
      readonly kind: "measured";
      readonly milliseconds: readonly number[];
      /** Processor time of the whole process, all threads: what a busy machine disturbs least. */
      readonly processorMilliseconds: number;
    }
  | { readonly kind: "unable"; readonly because: string };
