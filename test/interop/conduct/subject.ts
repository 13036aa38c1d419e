/**
 * A device that is asked: its registers, and the guest memory that it shares with its driver. Whose device it is, a probe
 * doesn't learn.
 */
import type { RegisterBus } from "../../../src/transport/register-bus";
import type { RawMemory } from "../../raw-ring";

/** Bytes of guest memory that a probe has, from guest address 0 on. QEMU has more behind them, and nobody else has. */
export const GUEST_BYTES = 256 * 1024;

/** One device. A write returns once the device has done whatever comes of it; `memory` shows what that was. */
export interface Subject extends RegisterBus {
  readonly memory: RawMemory;
  read(offset: number, bytes: 1 | 2 | 4): number;
  write(offset: number, bytes: 1 | 2 | 4, value: number): void;
  stop(): Promise<void>;
}
