/** A monitor in React: a hook that follows what the monitor, or one of its signals, says. */
import type { MonitorState, TrainingMonitor } from "@mlx-ts/monitor";
import type { ReadonlySignal } from "@preact/signals-core";
import { useCallback, useSyncExternalStore } from "react";

/**
 * What a monitor says: all of it, or the signal that `select` picks, in which case the component renders only when that
 * changes. On a server it is what is known there.
 *
 * @param select picks a signal of the monitor, and the same one at every call
 * @example
 * import { TrainingMonitor } from "@mlx-ts/monitor";
 * import { useTrainingMonitor } from "@mlx-ts/react";
 *
 * const monitor = new TrainingMonitor();
 * const Status = (): string => useTrainingMonitor(monitor, (m) => m.status);
 */
export function useTrainingMonitor(monitor: TrainingMonitor): MonitorState;
export function useTrainingMonitor<T>(
  monitor: TrainingMonitor,
  select: (monitor: TrainingMonitor) => ReadonlySignal<T>,
): T;
export function useTrainingMonitor(
  monitor: TrainingMonitor,
  select: (monitor: TrainingMonitor) => ReadonlySignal<unknown> = ({ state }) => state,
): unknown {
  const source = select(monitor);
  const subscribe = useCallback((onChange: () => void) => source.subscribe(onChange), [source]);
  const read = (): unknown => source.peek();
  return useSyncExternalStore(subscribe, read, read);
}
