/** Makes `<mlx-training-monitor>` known to the page that imports this. */
import { defineTrainingMonitor } from "./element/training-monitor-element.ts";

defineTrainingMonitor();
