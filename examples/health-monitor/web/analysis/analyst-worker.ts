/** The worker that the analyst lives in. */
import { expose } from "@mlx-ts/actor";
import { Analyst } from "./analyst.ts";

expose(Analyst);
