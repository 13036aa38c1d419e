/** `virtq/transport`: between a driver and a device, and what a driver needs of any of them. */
export type { TransportPort } from "./driver/port";
export { Loopback } from "./transport/loopback";
export { type MmioOptions, MmioTransport } from "./transport/mmio";
export { MmioPort } from "./transport/mmio-port";
export type { SharedMemoryRegion } from "./transport/mmio-shared-memory";
export type { PciBus } from "./transport/pci-bus";
export { PciPort, type PciPortOptions } from "./transport/pci-port";
export type { PciVectors } from "./transport/pci-port-vectors";
export type { RegisterBus } from "./transport/register-bus";
