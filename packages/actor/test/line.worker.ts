/** Trains the line model in a worker. */
import { exposeTrainer } from "@mlx-ts/actor";
import { lineTraining } from "./line-model.ts";

exposeTrainer(lineTraining);
