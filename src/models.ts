/** `virtq/models`: devices to put behind a VirtioDevice, their backends, and the drivers that talk to them. */
export { BlkDriver, type BlkDriverOptions } from "./driver/blk";
export { type RngCompletion, RngDriver } from "./driver/rng";
export type { BlkBackend, GuestBytes } from "./models/backend";
export { BlkModel, type BlkOptions } from "./models/blk";
export { DeferredBackend } from "./models/deferred-backend";
export { EchoModel, type EchoOptions } from "./models/echo";
export { MemoryBackend } from "./models/memory-backend";
export { type EntropySource, RngModel, type RngOptions } from "./models/rng";
