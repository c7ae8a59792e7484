/** Hooks that show a training of mlx-ts in React. */
export { useTrainingMonitor } from "./use-training-monitor.ts";
