/** What the two interfaces of virtio-pci, modern and legacy, have in common for a driver (§4.1.4.3, §4.1.4.10). */
import type { Awaitable } from "../driver/port";
import { VirtioError } from "../errors";
import type { PortQueues } from "./mmio-port-queues";
import type { PortRegister } from "./pci-port-window";
import type { RegisterBus } from "./register-bus";
import type { Sequence } from "./register-sequence";

/** A device's registers, whichever interface they are reached through. */
export interface PciRegisters {
  /** device_status. */
  readonly status: PortRegister;
  /** ISR status: a read clears it. */
  readonly isr: PortRegister;
  /** config_msix_vector. */
  readonly configVector: PortRegister;
  /** The device-specific configuration; throws CONFIG_RANGE beyond its end. */
  readonly config: RegisterBus;
  readonly queues: PortQueues;
  /** 32 bits of the offered features. */
  offered(word: number): Sequence<number>;
  accept(word: number, value: number): Sequence<void>;
  /** config_generation, 8 bits; always 0 on the legacy interface. */
  generation(): Awaitable<number>;
  notify(kickValue: number): Awaitable<void>;
}

/** Most queues that the 16 bits of queue_select can tell apart. */
export const MOST_QUEUES = 0x10000;

/** @throws VirtioError QUEUE_INDEX_RANGE for an index that queue_select can't hold */
export function requireIndex(index: number): void {
  if (Number.isInteger(index) && index >= 0 && index < MOST_QUEUES) return;
  const text = `queue ${index}: queue_select holds 0…${MOST_QUEUES - 1}`;
  throw new VirtioError("QUEUE_INDEX_RANGE", text, { section: "4.1.4.3" });
}
