/** A monitor in Vue: a composable that gives a ref. */
import type { ReadonlySignal } from "@preact/signals-core";
import { onScopeDispose, type ShallowRef, shallowRef } from "vue";
import type { MonitorState } from "./state.ts";
import type { TrainingMonitor } from "./training-monitor.ts";

/**
 * What a monitor says, as a ref that follows it until the component (or effect scope) is gone: all of it, or the signal that
 * `select` picks.
 *
 * @example
 * import { TrainingMonitor } from "@mlx-ts/monitor";
 * import * as hooks from "@mlx-ts/monitor/vue";
 * import { effectScope } from "vue";
 *
 * const monitor = new TrainingMonitor();
 * const scope = effectScope();
 * scope.run(() => hooks.useTrainingMonitor(monitor, (m) => m.status).value); // "waiting"
 * scope.stop();
 */
export function useTrainingMonitor(monitor: TrainingMonitor): Readonly<ShallowRef<MonitorState>>;
export function useTrainingMonitor<T>(
  monitor: TrainingMonitor,
  select: (monitor: TrainingMonitor) => ReadonlySignal<T>,
): Readonly<ShallowRef<T>>;
export function useTrainingMonitor(
  monitor: TrainingMonitor,
  select: (monitor: TrainingMonitor) => ReadonlySignal<unknown> = ({ state }) => state,
): Readonly<ShallowRef<unknown>> {
  const source = select(monitor);
  const value = shallowRef(source.peek());
  onScopeDispose(
    source.subscribe((latest) => {
      value.value = latest;
    }),
  );
  return value;
}
