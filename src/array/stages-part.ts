/** Provides computing on several devices. */
import "./methods.ts";
import { stages } from "./evaluate.ts";
import { computeInStages } from "./stages.ts";

stages.provide(computeInStages);
