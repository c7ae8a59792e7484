/** Provides other threads. */
import "../../array/methods.ts";
import { WorkerCrew } from "./pool-crew.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.threads.provide((host) => new WorkerCrew(host));
