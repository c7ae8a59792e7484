/** Classes in workers: typed calls, events as async iterables, arrays without copies. */
export type { ActorOptions } from "./actor.ts";
export { actor } from "./actor.ts";
export type { AnyWorker, NodeWorkerLike } from "./endpoint.ts";
export type { ErrorClass } from "./errors.ts";
export { WorkerError } from "./errors.ts";
export { expose } from "./expose.ts";
export type {
  Actor,
  ActorLife,
  ExposableClass,
  RemoteMethod,
  RemoteMethods,
  RemoteStream,
  SendableParameters,
} from "./remote.ts";
