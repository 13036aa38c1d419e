/** `virtq/v86`: virtq's rings under the devices of the emulator v86, which is not a dependency of this package. */
export type { UpgradedDevice } from "./adapters/v86/device";
export { type StockDevice, V86_VERSION } from "./adapters/v86/hooks";
export { type UpgradeOptions, upgrade } from "./adapters/v86/upgrade";
