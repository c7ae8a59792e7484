/** Shows trainings of mlx-ts on a page: the element `<mlx-training-monitor>`. */
export type { Comparison, Controls } from "./element/panel.ts";
export type { PanelName, TrainingMonitorElement } from "./element/training-monitor-element.ts";
export { defineTrainingMonitor, panelNames } from "./element/training-monitor-element.ts";
