/** What programs on one device do without: graphs over several ones, and elements that lie elsewhere. */
import { Part } from "../base/part.ts";
import type { Allocation, Backend } from "../ir/backend.ts";
import type { bringTo } from "./residence.ts";
import type { computeInStages } from "./stages.ts";

/** How several devices work together. */
export interface SeveralDevices {
  readonly computeInStages: typeof computeInStages;
  readonly bringTo: typeof bringTo;
}

/** See `SeveralDevices`. */
export const severalDevices: Part<SeveralDevices> = /* @__PURE__ */ new Part(
  "several devices",
  () => import("./several-devices-part.ts"),
);

/** The elements of `allocation` in the memory of `backend`. The copy, if there is one, goes when `allocation` goes. */
export function residentIn(backend: Backend, allocation: Allocation): Allocation | Promise<Allocation> {
  if (allocation.backend === backend) return allocation;
  const devices = severalDevices.peek();
  return devices
    ? devices.bringTo(backend, allocation)
    : severalDevices.load().then(({ bringTo }) => bringTo(backend, allocation));
}
