/** Threads of a workgroup that work on one point together, and how they join what each of them has found. */
import type { GpuTarget } from "./kernel-code.ts";
import type { Reducer, State } from "./loop-reducer.ts";
import type { Shader } from "./wgsl-shader.ts";
import type { Lanes, RegisterType } from "./wgsl-types.ts";
import { typeName } from "./wgsl-types.ts";

/** A team: `size` threads whose numbers differ by `stride`. */
export interface Team {
  readonly size: number;
  readonly stride: number;
  /** An i32 that says which member this thread is. */
  readonly member: string;
  /** Neighbouring threads that surely share a subgroup, a power of two: see `neighboursOf`. */
  readonly neighbours: number;
}

/** Threads, counted from a multiple of as many, that exchange values as a subgroup; 1 where a device has none. */
export function neighboursOf({ subgroups }: GpuTarget): number {
  return subgroups?.min ?? 1;
}

/** Bytes of workgroup memory that joining takes for each thread of a workgroup, at most. */
export function joinBytesPerThread(lanes: Lanes): number {
  return arrayLimit(lanes) * 4 * lanes;
}

/** States that a thread of the subgroup that finishes reads at most, one after the other. */
const mostReads = 8;

/** Arrays in use at once: a position takes two. */
function arrayLimit(lanes: Lanes): number {
  return lanes === 4 ? 2 : 4;
}

/**
 * Joins the states of all members of each team; every member gets the result. A team within a subgroup exchanges registers; of a
 * larger one a subgroup, where there is such a thing, finishes what others leave in workgroup memory. All threads of the
 * workgroup must come here, and states are names.
 */
export function joinTeam(
  shader: Shader,
  team: Team,
  reducers: readonly Reducer[],
  states: readonly State[],
  lanes: Lanes,
  threads: number,
): State[] {
  if (team.size === 1) return [...states];
  const joined: State[] = [];
  for (let first = 0; first < reducers.length; ) {
    let count = 0;
    let arrays = 0;
    while (first + count < reducers.length) {
      const parts = reducers[first + count]?.parts.length ?? 1;
      if (count > 0 && arrays + parts > arrayLimit(lanes)) break;
      arrays += parts;
      count++;
    }
    const [some, ready] = [reducers.slice(first, first + count), states.slice(first, first + count)];
    joined.push(...joinSome(shader, team, some, ready, lanes, threads));
    first += count;
  }
  return joined;
}

function joinSome(
  shader: Shader,
  team: Team,
  reducers: readonly Reducer[],
  states: readonly State[],
  lanes: Lanes,
  threads: number,
): State[] {
  const { size, stride, member } = team;
  const reach = reachOf(team);
  if (reach === size) return exchange(shader, reducers, states, lanes, stride, reach);
  const words = typeName("u32", lanes);
  let count = 0;
  const arrays = reducers.map(({ parts }) =>
    parts.map(() => {
      const name = `team${lanes}_${count++}`;
      shader.declare(`var<workgroup> ${name}: array<${words}, ${threads}>;`);
      return name;
    }),
  );
  const read = (k: number, place: string): State =>
    (reducers[k]?.parts ?? []).map((part, p) => shader.let("s", fromWords(`${arrays[k]?.[p]}[${place}]`, part, lanes)));
  /** Leaves the states of this thread, one for each reducer. */
  const write = (all: readonly State[]): void => {
    all.forEach((state, k) => {
      state.forEach((text, p) => {
        shader.line(`${arrays[k]?.[p]}[thread] = ${toWords(text, reducers[k]?.parts[p] ?? "u32", lanes)};`);
      });
    });
  };
  // Whoever still reads what was joined before must be done.
  shader.line("workgroupBarrier();");
  write(states);
  shader.line("workgroupBarrier();");
  for (let width = size; width > 1; ) {
    // One subgroup does the rest as soon as each of its threads has few states left to read.
    const isLast = reach > 1 && width <= mostReads * reach;
    const next = isLast ? reach : Math.ceil(width / Math.min(width, 4));
    const ways = Math.ceil(width / next);
    // Those who come here are all of a subgroup that exchange values, which cannot be told from the text.
    if (isLast) shader.silence("subgroup_uniformity");
    shader.block(`if (${member} < ${next})`, () => {
      const found = reducers.map((reducer, k) => {
        let state = read(k, "thread");
        for (let way = 1; way < ways; way++) {
          const isFull = (way + 1) * next <= width;
          const other = read(k, `thread + ${way * next * stride}u`);
          const identity = reducer.identity(lanes);
          const isMember = `${member} < ${width - way * next}`;
          const padded = other.map((text, p) =>
            isFull ? text : shader.let("s", `select(${identity[p]}, ${text}, ${isMember})`),
          );
          state = reducer.combine(state, padded, lanes).map((text) => shader.let("s", text));
        }
        return state;
      });
      write(isLast ? exchange(shader, reducers, found, lanes, stride, reach) : found);
    });
    shader.line("workgroupBarrier();");
    width = isLast ? 1 : next;
  }
  const first = shader.let("f", `thread - u32(${member})${stride === 1 ? "" : ` * ${stride}u`}`);
  return reducers.map((_, k) => read(k, first));
}

/** How many members in a row share a subgroup: a power of two, at most all. */
function reachOf({ size, stride, neighbours }: Team): number {
  let reach = 1;
  while (isPower(stride) && reach * 2 <= size && reach * 2 * stride <= neighbours) reach *= 2;
  return reach;
}

function isPower(x: number): boolean {
  return (x & (x - 1)) === 0;
}

/** Joins the states of every `count` members in a row, a power of two within a subgroup; all of them get the result. */
function exchange(
  shader: Shader,
  reducers: readonly Reducer[],
  states: readonly State[],
  lanes: Lanes,
  stride: number,
  count: number,
): State[] {
  shader.enable("subgroups");
  let joined = [...states];
  for (let distance = 1; distance < count; distance *= 2) {
    joined = reducers.map((reducer, k) => {
      const own = joined[k] ?? [];
      const other = own.map((text) => shader.let("s", `subgroupShuffleXor(${text}, ${distance * stride}u)`));
      return reducer.combine(own, other, lanes).map((text) => shader.let("s", text));
    });
  }
  return joined;
}

/** The bits of a part of a state; bool does not occur. */
export function toWords(text: string, part: RegisterType, lanes: Lanes): string {
  return part === "u32" ? text : `bitcast<${typeName("u32", lanes)}>(${text})`;
}

/** The part of a state with these bits. */
export function fromWords(text: string, part: RegisterType, lanes: Lanes): string {
  return part === "u32" ? text : `bitcast<${typeName(part, lanes)}>(${text})`;
}
