/** The limits that a program set for memory: they hold for devices that are opened later, too. */

/** Bytes; what is missing was not set. */
export const memoryLimits: { memory?: number; cache?: number } = {};
