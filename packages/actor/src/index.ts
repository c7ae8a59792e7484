/** Classes in workers: typed calls, events as async iterables, arrays without copies. */
export type { ActorOptions } from "./actor.ts";
export { actor } from "./actor.ts";
export type { AnyWorker, NodeWorkerLike } from "./endpoint.ts";
export type { ErrorClass } from "./errors.ts";
export { WorkerError } from "./errors.ts";
export type { ExposeOptions } from "./expose.ts";
export { expose } from "./expose.ts";
export { ModelServer } from "./model-server.ts";
export type { RunOptions, TrainerOptions, TrainerSetup } from "./model-trainer.ts";
export { ModelTrainer } from "./model-trainer.ts";
export type {
  Actor,
  ActorLife,
  ExposableClass,
  RemoteMethod,
  RemoteMethods,
  RemoteStream,
  SendableConstructorParameters,
  SendableParameters,
} from "./remote.ts";
export { exposeTrainer } from "./trainer-host.ts";
export type { Weights, WeightsVersion } from "./weights.ts";
