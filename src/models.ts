/** `virtq/models`: devices to put behind a VirtioDevice, their backends, and the drivers that talk to them. */
export { BlkDriver, type BlkDriverOptions } from "./driver/blk";
export { NetDriver, type NetReceiver } from "./driver/net";
export { NET_DRIVER_FEATURES, NET_DRIVER_OFFLOADS, netProbe, netValidate } from "./driver/net-features";
export type { NetLink } from "./driver/net-link";
export type { NetDriverOptions } from "./driver/net-sizes";
export type { BlkBackend, GuestBytes } from "./models/backend";
export { BlkModel, type BlkOptions } from "./models/blk";
export { DeferredBackend } from "./models/deferred-backend";
export { EchoModel, type EchoOptions } from "./models/echo";
export { MemoryBackend } from "./models/memory-backend";
export { NetModel } from "./models/net";
export type { NetCounters } from "./models/net-counters";
export type { NetIdentity, NetOptions } from "./models/net-options";
export { joinWires, loopWire, type NetPlug, type NetWire } from "./models/net-wire";
export { type NetHeader, PLAIN_NET_HEADER } from "./negotiation/net-header";
