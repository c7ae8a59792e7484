/** Provides computing on several devices. */
import "./methods.ts";
import { bringTo } from "./residence.ts";
import { severalDevices } from "./several-devices.ts";
import { computeInStages } from "./stages.ts";

severalDevices.provide({ computeInStages, bringTo });
