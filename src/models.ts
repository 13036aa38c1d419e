/** `virtq/models`: devices to put behind a VirtioDevice, their backends, and the drivers that talk to them. */
export { BalloonDriver, type BalloonDriverOptions } from "./driver/balloon";
export { BALLOON_DRIVER_FEATURES, balloonPoison, balloonValidate } from "./driver/balloon-features";
export type { BalloonStatistics } from "./driver/balloon-stats";
export { BLK_DRIVER_FEATURES, BlkDriver, type BlkDriverOptions } from "./driver/blk";
export { CONSOLE_DRIVER_FEATURES, ConsoleDriver, type ConsoleDriverOptions } from "./driver/console";
export { type RngCompletion, RngDriver } from "./driver/rng";
export type { BlkBackend, GuestBytes } from "./models/backend";
export { BalloonModel, type BalloonOptions, type BalloonPages } from "./models/balloon";
export type { BalloonStat } from "./models/balloon-stats";
export { BlkModel, type BlkOptions } from "./models/blk";
export { ConsoleModel, type ConsoleOptions } from "./models/console";
export { DeferredBackend } from "./models/deferred-backend";
export { EchoModel, type EchoOptions } from "./models/echo";
export { MemoryBackend } from "./models/memory-backend";
export { type EntropySource, RngModel, type RngOptions } from "./models/rng";
