/** `virtq/transport`: between a driver and a device, and what a driver needs of any of them. */
export type { TransportPort } from "./driver/port";
export { Loopback } from "./transport/loopback";
export { type MmioOptions, MmioTransport } from "./transport/mmio";
export type { MmioImage } from "./transport/mmio-image";
export { MmioPort } from "./transport/mmio-port";
export { PciTransport } from "./transport/pci";
export type { PciBar, PciPlace, PciRegion } from "./transport/pci-bars";
export type { PciBus } from "./transport/pci-bus";
export type { PciImage } from "./transport/pci-image";
export type { PciLayoutOptions, PciStructureName } from "./transport/pci-layout";
export type { MsixMessage } from "./transport/pci-msix";
export type { PciOptions } from "./transport/pci-options";
export { PciPort, type PciPortOptions } from "./transport/pci-port";
export type { PciPortVectors } from "./transport/pci-port-vectors";
export type { RegisterBus } from "./transport/register-bus";
export type { SharedMemoryRegion } from "./transport/shared-memory";
