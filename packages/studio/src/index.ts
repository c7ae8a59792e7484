/** Shows trainings of mlx-ts on a page: the element `<mlx-training-monitor>`. */

export type { PanelName } from "./element/monitor-panels.ts";
export { panelNames } from "./element/monitor-panels.ts";
export type { Comparison, Controls } from "./element/panel.ts";
export type { TrainingMonitorElement } from "./element/training-monitor-element.ts";
export { defineTrainingMonitor } from "./element/training-monitor-element.ts";
