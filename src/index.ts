/**
 * `virtq`: a virtqueue simulator whose rings run in WebAssembly. What a program imports; nothing happens at import.
 * Device models are in `virtq/models`, transports in `virtq/transport`, the lint in `virtq/conformance`, scenes in
 * `virtq/scenarios`, what needs Node in `virtq/node`.
 */
export { type Core, type CoreOptions, loadCore, loadCoreSync } from "./core/core";
export type { GuestRegion } from "./core/regions";
export { type StateArea, stateBytes } from "./core/state-area";
export { type DeviceOptions, VirtioDevice } from "./device/device";
export type { DeviceCounters } from "./device/device-counters";
export type { DeviceImage } from "./device/device-image-form";
export { type InterfaceEvidence, LEGACY_DETECTIONS, type LegacyDetection } from "./device/legacy";
export type { ConfigField, DeviceContext, DeviceModel, QueueDeclaration } from "./device/model";
export type { DevicePolicies } from "./device/policies";
export { DEVICE_PROFILES, type DeviceProfile } from "./device/profiles";
export { type DriverOptions, type InitializeResult, VirtioDriver } from "./driver/driver";
export type { DriverStep } from "./driver/driver-step";
export { DRIVER_PROFILES, type DriverProfile } from "./driver/profiles";
export { type ErrorCode, VirtioError } from "./errors";
export type { ControlEvent, EventSink, PolicyUse, RegisterAccess } from "./negotiation/control-event";
export { FeatureSet } from "./negotiation/feature-set";
export { formatTable } from "./report/table";
export type { SimDocument, SimReport } from "./sim/metrics";
export { type SimulateOptions, simulate } from "./sim/simulate";
export { Transcript } from "./trace/transcript";
export { type TranscriptTableOptions, transcriptTable } from "./trace/transcript-table";
export { Loopback } from "./transport/loopback";
export type { Chain, ChainReader, ChainWriter } from "./virtqueue/chain";
export { DeviceQueue, type DeviceQueueOptions } from "./virtqueue/device-queue";
export { DriverQueue, type DriverQueueOptions, type Segment } from "./virtqueue/driver-queue";
export { GuestAllocator } from "./virtqueue/guest-allocator";
export { type RingAreas, type RingLayout, ringAreas, ringLayout } from "./virtqueue/layout";
export { QueueTally } from "./virtqueue/queue-tally";
export type { QueueOptions } from "./virtqueue/ring-half";
