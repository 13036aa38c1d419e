/** `virtq/v86`: virtq's devices and rings in the emulator v86, which is not a dependency of this package. */
export { attach } from "./adapters/v86/attach";
export type { AttachOptions, DeviceSpec } from "./adapters/v86/attach-options";
export type { AttachedCounters, AttachedDevice } from "./adapters/v86/attached-device";
export type { Attachment } from "./adapters/v86/attachment";
export type { UpgradedDevice } from "./adapters/v86/device";
export { type StockDevice, V86_VERSION } from "./adapters/v86/hooks";
export { type UpgradeOptions, upgrade } from "./adapters/v86/upgrade";
