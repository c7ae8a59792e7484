/** Arrays that several threads read in one memory. */
export type { ArrayHandle, Shared, ShareOptions } from "./handles.ts";
export {
  discardArrays,
  discardHandle,
  fromHandle,
  isArrayHandle,
  openArrays,
  shareArrays,
  toHandle,
} from "./handles.ts";
export type { SharingReport, WorkerTicket } from "./membership.ts";
export { admitWorker, joinMemory, leaveMemory, releaseWorker, sharing } from "./membership.ts";
export type { IsSendable, NotSendable, Sendable, SendableLeaf } from "./sendable.ts";
