/**
 * What a driver needs beneath a transport of registers (§4.2.2): reads and writes of one device's window, wherever that
 * is. It knows nothing of what the registers mean.
 */
import type { Awaitable } from "../driver/port";

/** Registers of one device as a driver reaches them: a mapped window, a test protocol, an emulator's own bus. */
export interface RegisterBus {
  /** Little-endian; `bytes` is 1, 2 or 4, offsets count from the start of the window. */
  read(offset: number, bytes: 1 | 2 | 4): Awaitable<number>;
  write(offset: number, bytes: 1 | 2 | 4, value: number): Awaitable<void>;
}
