/**
 * What a driver needs beneath virtio-pci (§4.1.3): the configuration space of one function, and what its base address
 * registers map, wherever that is. It knows nothing of virtio; finding functions and placing BARs is the platform's.
 */
import type { Awaitable } from "../driver/port";

/** One PCI function as a driver reaches it: an emulator's own bus, a test protocol, a device in the same process. */
export interface PciBus {
  /**
   * Bytes of the configuration space, little-endian and unsigned; all ones where there is no function.
   *
   * @param offset 0…255, a multiple of `bytes`
   */
  readConfig(offset: number, bytes: 1 | 2 | 4): Awaitable<number>;
  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number): Awaitable<void>;
  /**
   * How many bytes can be reached through a base address register; 0 for one that isn't there, is not mapped, or maps a
   * space that the driver can't reach.
   *
   * @param bar 0…5; one of 64 bits goes by its first half
   */
  barSize(bar: number): Awaitable<number>;
  /** What a base address register maps, I/O or memory, little-endian and unsigned; `offset` counts from its start. */
  readBar(bar: number, offset: number, bytes: 1 | 2 | 4): Awaitable<number>;
  writeBar(bar: number, offset: number, bytes: 1 | 2 | 4, value: number): Awaitable<void>;
}
