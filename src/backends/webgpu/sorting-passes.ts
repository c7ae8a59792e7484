/** Sorts rows of keys: blocks in workgroup memory by a bitonic network, then neighbouring runs merged pass by pass. */
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuDispatch, GpuTarget } from "./kernel-code.ts";
import { RoutineShader, routineThreads } from "./routine-shader.ts";
import { greatestKey } from "./sort-keys.ts";

/** Elements that a workgroup sorts: key and place of each fill 16 KiB. */
const blockLength = 2048;
/** Elements that a thread merges. */
const mergedPerThread = 8;

/** What is sorted. Rows, columns, keys and places are texts of i32. */
export interface SortTask {
  readonly rows: number;
  readonly length: number;
  /** Whether the places of elements in their rows are wanted; equal keys keep their order then. */
  readonly hasPlaces: boolean;
  /** Scratch buffers from this one on are free for keys and places. */
  readonly firstScratch: number;
  /** The text of the key of an element. */
  read(routine: RoutineShader, row: string, column: string): string;
  /** Takes the element that comes to `column`. */
  write(routine: RoutineShader, row: string, column: string, key: string, place: string): void;
}

/** Dispatches, and bytes of the scratch buffers that they use. */
export interface SortPasses {
  readonly dispatches: readonly GpuDispatch[];
  readonly scratchBytes: readonly number[];
}

/** The dispatches that sort. */
export function sortPasses(kernel: RoutineKernel, target: GpuTarget, task: SortTask): SortPasses {
  const { length, rows, hasPlaces } = task;
  if (length <= blockLength) return { dispatches: [sortBlocks(kernel, target, task, task)], scratchBytes: [] };
  // Runs alternate between two sets of buffers.
  const perSet = hasPlaces ? 2 : 1;
  const runs = [new Runs(task, task.firstScratch), new Runs(task, task.firstScratch + perSet)] as const;
  const dispatches = [sortBlocks(kernel, target, task, runs[0])];
  let from: 0 | 1 = 0;
  for (let run = blockLength; run < length; run *= 2) {
    const to: 0 | 1 = from === 0 ? 1 : 0;
    dispatches.push(mergeRuns(kernel, target, task, runs[from], run * 2 >= length ? task : runs[to], run));
    from = to;
  }
  return { dispatches, scratchBytes: new Array<number>(2 * perSet).fill(rows * length * 4) };
}

/** Sorted runs in scratch memory. */
class Runs implements Pick<SortTask, "write"> {
  readonly #task: SortTask;
  readonly #first: number;

  constructor(task: SortTask, first: number) {
    this.#task = task;
    this.#first = first;
  }

  get #size(): number {
    return this.#task.rows * this.#task.length;
  }

  key({ memory }: RoutineShader, at: string): string {
    return memory.scratchArray(this.#first, this.#size).load(at);
  }

  place({ memory }: RoutineShader, at: string): string {
    return this.#task.hasPlaces ? memory.scratchArray(this.#first + 1, this.#size).load(at) : "0";
  }

  write({ shader, memory }: RoutineShader, row: string, column: string, key: string, place: string): void {
    const at = shader.let("at", `${row} * ${this.#task.length} + ${column}`);
    shader.line(memory.scratchArray(this.#first, this.#size).store(at, key));
    if (this.#task.hasPlaces) shader.line(memory.scratchArray(this.#first + 1, this.#size).store(at, place));
  }
}

/** Sorts every block of every row; short rows share a workgroup. */
function sortBlocks(
  kernel: RoutineKernel,
  target: GpuTarget,
  { rows, length, hasPlaces, read }: SortTask,
  sink: Pick<SortTask, "write">,
): GpuDispatch {
  const routine = new RoutineShader(kernel, target);
  const { shader } = routine;
  const padded = Math.min(blockLength, 2 ** Math.max(1, Math.ceil(Math.log2(length))));
  const elements = Math.max(padded, 2 * routineThreads);
  const rowsPerGroup = elements / padded;
  const blocks = Math.ceil(length / padded);
  const group = routine.group(Math.ceil(rows / rowsPerGroup) * blocks);
  const row0 = shader.let("row", `(${group} / ${blocks}) * ${rowsPerGroup}`);
  const column0 = shader.let("column", `(${group} % ${blocks}) * ${padded}`);
  shader.declare(`var<workgroup> keys: array<i32, ${elements}>;`);
  if (hasPlaces) shader.declare(`var<workgroup> places: array<i32, ${elements}>;`);
  const each = (body: (at: string, row: string, column: string, inside: string) => void): void =>
    shader.block(`for (var at = i32(thread); at < ${elements}; at += ${routineThreads})`, () => {
      const row = shader.let("row", `${row0} + at / ${padded}`);
      const column = shader.let("column", `${column0} + at % ${padded}`);
      body("at", row, column, `${row} < ${rows} && ${column} < ${length}`);
    });
  each((at, row, column, inside) => {
    // What is beyond the row comes last: its place is greater than that of any element with the greatest key.
    shader.line(`keys[${at}] = ${greatestKey};`);
    if (hasPlaces) shader.line(`places[${at}] = ${column};`);
    shader.block(`if (${inside})`, () => shader.line(`keys[${at}] = ${read(routine, row, column)};`));
  });
  shader.line("workgroupBarrier();");
  shader.block(`for (var size = 2; size <= ${padded}; size *= 2)`, () => {
    shader.block("for (var step = size / 2; step > 0; step /= 2)", () => {
      shader.block(`for (var pair = i32(thread); pair < ${elements / 2}; pair += ${routineThreads})`, () => {
        const low = shader.let("low", "((pair & ~(step - 1)) << 1u) | (pair & (step - 1))");
        const high = shader.let("high", `${low} + step`);
        const rises = shader.let("rises", `((${low} % ${padded}) & size) == 0`);
        const [a, b] = [shader.let("a", `keys[${low}]`), shader.let("b", `keys[${high}]`)];
        if (!hasPlaces) {
          shader.block(`if ((${a} > ${b}) == ${rises})`, () => {
            shader.line(`keys[${low}] = ${b};`);
            shader.line(`keys[${high}] = ${a};`);
          });
          return;
        }
        const [p, q] = [shader.let("p", `places[${low}]`), shader.let("q", `places[${high}]`)];
        shader.block(`if ((${a} > ${b} || (${a} == ${b} && ${p} > ${q})) == ${rises})`, () => {
          shader.line(`keys[${low}] = ${b};`);
          shader.line(`keys[${high}] = ${a};`);
          shader.line(`places[${low}] = ${q};`);
          shader.line(`places[${high}] = ${p};`);
        });
      });
      shader.line("workgroupBarrier();");
    });
  });
  each((at, row, column, inside) => {
    shader.block(`if (${inside})`, () =>
      sink.write(
        routine,
        row,
        column,
        shader.let("key", `keys[${at}]`),
        hasPlaces ? shader.let("p", `places[${at}]`) : "0",
      ),
    );
  });
  return routine.dispatch();
}

/** Merges runs of `run` elements two by two: each thread finds where its part of the result begins in both. */
function mergeRuns(
  kernel: RoutineKernel,
  target: GpuTarget,
  { rows, length, hasPlaces }: SortTask,
  source: Runs,
  sink: Pick<SortTask, "write">,
  run: number,
): GpuDispatch {
  const routine = new RoutineShader(kernel, target);
  const { shader } = routine;
  const perRow = Math.ceil(length / mergedPerThread);
  const point = routine.point(rows * perRow);
  const row = shader.let("row", `${point} / ${perRow}`);
  const first = shader.let("first", `(${point} % ${perRow}) * ${mergedPerThread}`);
  const pair = shader.let("pair", `(${first} / ${2 * run}) * ${2 * run}`);
  const base = shader.let("base", `${row} * ${length} + ${pair}`);
  const left = shader.let("left", `min(${run}, ${length} - ${pair})`);
  const right = shader.let("right", `clamp(${length} - ${pair} - ${run}, 0, ${run})`);
  const diagonal = shader.let("diagonal", `${first} - ${pair}`);
  const key = (at: string): string => source.key(routine, `${base} + ${at}`);
  // How many of the first `diagonal` results come from the left run.
  shader.line(`var i = max(0, ${diagonal} - ${right});`);
  shader.line(`var end = min(${diagonal}, ${left});`);
  shader.block("while (i < end)", () => {
    const middle = shader.let("middle", "(i + end) / 2");
    const isLeft = `${key(middle)} <= ${key(`${run - 1} + ${diagonal} - ${middle}`)}`;
    shader.block(`if (${isLeft})`, () => shader.line(`i = ${middle} + 1;`));
    shader.block("else", () => shader.line(`end = ${middle};`));
  });
  shader.line(`var j = ${diagonal} - i;`);
  shader.block(`for (var at = ${first}; at < min(${first} + ${mergedPerThread}, ${length}); at++)`, () => {
    shader.line(`var taken = ${run} + j;`);
    shader.block(`if (j >= ${right} || (i < ${left} && ${key("i")} <= ${key(`${run} + j`)}))`, () => {
      shader.line("taken = i;");
      shader.line("i++;");
    });
    shader.block("else", () => shader.line("j++;"));
    const place = hasPlaces ? shader.let("place", source.place(routine, `${base} + taken`)) : "0";
    sink.write(routine, row, "at", shader.let("key", key("taken")), place);
  });
  return routine.dispatch();
}
