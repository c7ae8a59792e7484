/** Watching a training of mlx-ts: its events as signals, with bounded history. */
export type { Buckets, Line, Point } from "./history.ts";
export { History } from "./history.ts";
export type { Schedule } from "./schedule.ts";
export { onNextFrame } from "./schedule.ts";
export type { MonitorState, TrainingStatus } from "./state.ts";
export type { MonitorOptions } from "./training-monitor.ts";
export { TrainingMonitor } from "./training-monitor.ts";
