/** The worker of the benchmark of the main thread. */
import { exposeTrainer } from "@mlx-ts/actor";
import { training } from "./model.ts";

exposeTrainer(training);
