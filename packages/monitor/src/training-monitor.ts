/** A training as signals: fed by its events, shown once per frame. */
import { computed, type ReadonlySignal, signal } from "@preact/signals-core";
import type {
  HistogramsEvent,
  KernelsEvent,
  RunEvent,
  Sample,
  StepEvent,
  StepPhases,
  TrainEvent,
  TrainPosition,
} from "mlx-ts/train";
import { type Buckets, History, type Line, type Point } from "./history.ts";
import { onNextFrame, type Schedule } from "./schedule.ts";
import { initialState, type MonitorState, stateAfter, type TrainingStatus } from "./state.ts";

/** How a monitor keeps and shows what it is told. */
export interface MonitorOptions {
  /** The most points that are kept of each figure; 1024 unless given. */
  readonly capacity?: number | undefined;
  /** When signals change after an event: before the next frame unless given. */
  readonly schedule?: Schedule | undefined;
}

/**
 * Watches a training. Events go in by `push`, `follow` or `watch`; what they say comes out as signals, which change once per
 * frame, however many steps a frame has. Derived signals compute only while somebody reads them. Memory is bounded.
 *
 * Every signal, and the monitor itself, is a Svelte store; `@mlx-ts/monitor/vue` and `@mlx-ts/react` have hooks.
 *
 * @throws {RangeError} for a capacity that is no even number; {TypeError} for an option of another name
 * @example
 * import { TrainingMonitor } from "@mlx-ts/monitor";
 *
 * const model = new nn.Linear(1, 1);
 * const batches = [{ x: array([[1], [2]]), y: array([[3], [5]]) }];
 * const loss = (m: nn.Linear, { x, y }: (typeof batches)[0]) => nn.losses.mseLoss(m(x), y);
 * const optimizer = new optim.SGD({ learningRate: 0.1 });
 * const monitor = new TrainingMonitor();
 * await monitor.follow(train.train({ model, optimizer, loss, batches, epochs: 20 }));
 * monitor.status.value; // "finished"
 * monitor.position.value.step; // 20
 * monitor.series("loss").value.steps.length; // 20
 */
export class TrainingMonitor {
  readonly #capacity: number;
  readonly #schedule: Schedule;
  readonly #histories = new Map<string, History>();
  readonly #buckets = new Map<string, ReadonlySignal<Buckets>>();
  readonly #lines = new Map<string, ReadonlySignal<Line>>();
  readonly #shown = signal<MonitorState>(initialState);
  #names: readonly string[] = [];
  #state: MonitorState = initialState;
  #isScheduled = false;

  /** All that is known, as one value. */
  readonly state: ReadonlySignal<MonitorState> = computed(() => this.#shown.value);
  readonly status: ReadonlySignal<TrainingStatus> = this.#derived(({ status }) => status);
  /** What made the training fail. */
  readonly error: ReadonlySignal<string | null> = this.#derived(({ error }) => error);
  readonly position: ReadonlySignal<TrainPosition> = this.#derived(({ position }) => position);
  /** The loss of the latest step; NaN before the first. */
  readonly loss: ReadonlySignal<number> = this.#derived(({ step }) => step?.loss ?? Number.NaN);
  /** A mean of recent losses. */
  readonly smoothedLoss: ReadonlySignal<number> = this.#derived(({ smoothedLoss }) => smoothedLoss);
  /** The least loss so far. */
  readonly lowestLoss: ReadonlySignal<Point | null> = this.#derived(() => this.#histories.get("loss")?.lowest ?? null);
  /** What the loss function returned beside the loss. */
  readonly metrics: ReadonlySignal<StepEvent["metrics"]> = this.#derived(({ step }) => step?.metrics ?? noMetrics);
  readonly learningRate: ReadonlySignal<number> = this.#derived(({ step }) => step?.learningRate ?? Number.NaN);
  /** Samples per second of recent steps. */
  readonly throughput: ReadonlySignal<number> = this.#derived(({ throughput }) => throughput);
  /** Bytes that arrays hold, the most so far, and those kept for reuse. */
  readonly memory: ReadonlySignal<StepEvent["memory"] | null> = this.#derived(({ step }) => step?.memory ?? null);
  /** The norm of the latest gradients; NaN unless the training reports it. */
  readonly gradientNorm: ReadonlySignal<number> = this.#derived(({ step }) => step?.gradientNorm ?? Number.NaN);
  /** Milliseconds of all steps so far, by what they were spent on. */
  readonly phases: ReadonlySignal<StepPhases> = this.#derived(({ phaseTotals }) => phaseTotals);
  readonly samples: ReadonlySignal<readonly Sample[]> = this.#derived(({ samples }) => samples?.samples ?? noSamples);
  /** Some of all histograms, the latest last. */
  readonly histograms: ReadonlySignal<readonly HistogramsEvent[]> = this.#derived(({ histograms }) => histograms);
  /** The kernels of a step. */
  readonly kernels: ReadonlySignal<KernelsEvent | null> = this.#derived(({ kernels }) => kernels);
  /** The share of the training that is done, from 0 to 1; null if it has no end that is known. */
  readonly progress: ReadonlySignal<number | null> = this.#derived(progressOf);
  /** The names of the figures that have a history: `loss`, `learningRate`, `throughput`, `memory`, `metrics.accuracy` and so on. */
  readonly names: ReadonlySignal<readonly string[]> = this.#derived(() => this.#names);

  constructor(options: MonitorOptions = {}) {
    const { capacity = 1024, schedule = onNextFrame, ...others } = options;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined)
      throw new TypeError(`TrainingMonitor: "${unknown}" is no option of { capacity, schedule }`);
    if (typeof schedule !== "function") throw new TypeError("TrainingMonitor: schedule is a function");
    this.#capacity = capacity;
    this.#schedule = schedule;
    this.#histories.set("loss", new History(this.#capacity));
  }

  /** Takes in an event. Signals change at the next flush; at the end of a training, at once. */
  push(event: RunEvent): void {
    this.#state = stateAfter(this.#state, event);
    if (event.kind === "start") for (const history of this.#histories.values()) history.truncate(event.step);
    if (event.kind === "step") this.#record(event);
    if (event.kind === "end" || event.kind === "failure") this.flush();
    else this.#request();
  }

  /** Takes in all events and hands each on: for a loop that has work of its own. */
  async *watch<E extends TrainEvent | RunEvent>(events: AsyncIterable<E>): AsyncGenerator<E, void, void> {
    let isOver = false;
    try {
      for await (const event of events) {
        this.push(event);
        isOver = event.kind === "end";
        yield event;
      }
    } catch (error) {
      isOver = true;
      this.fail(error);
      throw error;
    } finally {
      if (!isOver) this.#show({ ...this.#state, status: "aborted" });
      this.flush();
    }
  }

  /** Takes in all events; resolves when there are no more. */
  async follow(events: AsyncIterable<TrainEvent | RunEvent>): Promise<void> {
    for await (const _ of this.watch(events));
  }

  /** Says that the training has failed. */
  fail(error: unknown): void {
    this.#show({ ...this.#state, status: "failed", error: error instanceof Error ? error.message : String(error) });
  }

  /** The history of a figure as buckets: means with their bounds. Empty until the figure was reported. */
  series(name: string): ReadonlySignal<Buckets> {
    return this.#cached(this.#buckets, name, (history) => history.buckets());
  }

  /** The history of a figure as a line through its extremes. Empty until the figure was reported. */
  line(name: string): ReadonlySignal<Line> {
    return this.#cached(this.#lines, name, (history) => history.line());
  }

  /** Calls `listener` with the state, now and whenever it changes. Returns what ends that; a Svelte store's contract. */
  subscribe(listener: (state: MonitorState) => void): () => void {
    return this.#shown.subscribe(listener);
  }

  /** Lets signals change now instead of at the next frame. */
  flush(): void {
    this.#isScheduled = false;
    this.#shown.value = this.#state;
  }

  #show(state: MonitorState): void {
    this.#state = state;
    this.flush();
  }

  #request(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      if (this.#isScheduled) this.flush();
    });
  }

  #record(event: StepEvent): void {
    const { step } = event;
    this.#historyOf("loss").add(step, event.loss);
    this.#historyOf("learningRate").add(step, event.learningRate);
    this.#historyOf("throughput").add(step, event.samplesPerSecond);
    this.#historyOf("memory").add(step, event.memory.active);
    if (event.gradientNorm !== undefined) this.#historyOf("gradientNorm").add(step, event.gradientNorm);
    for (const name in event.metrics) this.#historyOf(`metrics.${name}`).add(step, event.metrics[name] ?? Number.NaN);
  }

  #historyOf(name: string): History {
    const known = this.#histories.get(name);
    if (known) return known;
    const made = new History(this.#capacity);
    this.#histories.set(name, made);
    this.#names = [...this.#histories.keys()];
    return made;
  }

  #derived<T>(read: (state: MonitorState) => T): ReadonlySignal<T> {
    return computed(() => read(this.#shown.value));
  }

  #cached<T>(known: Map<string, ReadonlySignal<T>>, name: string, read: (history: History) => T): ReadonlySignal<T> {
    let made = known.get(name);
    if (!made) {
      made = this.#derived(() => read(this.#histories.get(name) ?? new History(this.#capacity)));
      known.set(name, made);
    }
    return made;
  }
}

const noMetrics: StepEvent["metrics"] = {};
const noSamples: readonly Sample[] = [];

function progressOf({ start, position, status, step }: MonitorState): number | null {
  if (status === "finished") return 1;
  if (!start) return null;
  if (start.steps !== undefined) return Math.min(position.step / Math.max(start.steps, 1), 1);
  if (start.epochs === undefined) return null;
  if (!step || position.epoch === 0) return position.epoch / Math.max(start.epochs, 1);
  // Of how many batches the present epoch will be is known from the ones before.
  const batchesPerEpoch = (position.step - position.batch) / Math.max(position.epoch, 1);
  const share = batchesPerEpoch > 0 ? Math.min(position.batch / batchesPerEpoch, 1) : 0;
  return Math.min((position.epoch + share) / Math.max(start.epochs, 1), 1);
}
