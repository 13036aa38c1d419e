/**
 * What a driver needs of a transport, whichever it is (§4). Every call may answer at once or by Promise, so that a
 * device in another process can stand behind it.
 */
import type { GuestAddress } from "../virtqueue/layout";

/** An answer now or later. */
export type Awaitable<T> = T | Promise<T>;

/** What the driver programs for a queue before it enables it (§2.6, §4.1.5.1.3, §4.2.3.2). */
export interface PortQueueSetup {
  /** Descriptors. */
  readonly size: number;
  /** Guest-physical addresses. */
  readonly areas: {
    readonly descriptor: GuestAddress;
    readonly driver: GuestAddress;
    readonly device: GuestAddress;
  };
}

/** Takes notifications of the device: of a used buffer in a queue, or of a changed configuration (§2.3). */
export type NotificationHandler = (kind: "used" | "config", queue?: number) => void;

/** One device as a driver reaches it. */
export interface TransportPort {
  /** Device ID (§5). */
  readonly deviceId: number;
  /** "pci", "mmio", "ccw", "loopback": some features exist on some transports only, and drivers order their words by it. */
  readonly transport: string;
  /**
   * The device sees guest memory through a copy alone: the queues keep the ranges that they write, and whoever carries
   * them over asks for them (`DriverQueue.touched`). Default false.
   */
  readonly copiesMemory?: boolean;
  /**
   * A queue has as many descriptors as `queueMaxSize` says, and no fewer: legacy PCI has no register to tell the device
   * another size (§4.1.5.1.3.1). Default false.
   */
  readonly fixedQueueSize?: boolean;
  /** 32 bits of the offered features, word 0…3. */
  readDeviceFeatures(word: number): Awaitable<number>;
  /** Replaces 32 bits of the accepted features. */
  writeDriverFeatures(word: number, value: number): Awaitable<void>;
  readStatus(): Awaitable<number>;
  writeStatus(value: number): Awaitable<void>;
  /** 1, 2 or 4 bytes of the configuration, little-endian. */
  readConfig(offset: number, bytes: 1 | 2 | 4): Awaitable<number>;
  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number): Awaitable<void>;
  configGeneration(): Awaitable<number>;
  /** Most descriptors of a queue; 0 for a queue that doesn't exist. */
  queueMaxSize(index: number): Awaitable<number>;
  /** Sets a queue up and enables it; whether it worked says `queueReady`. */
  enableQueue(index: number, setup: PortQueueSetup): Awaitable<void>;
  queueReady(index: number): Awaitable<boolean>;
  /** Asks for the reset of one queue (§2.6.1); over when `queueInReset` says no. Absent where the transport has none. */
  resetQueue?(index: number): Awaitable<void>;
  /** Whether a queue reset is still under way. Comes with `resetQueue`. */
  queueInReset?(index: number): Awaitable<boolean>;
  /** Stops a queue without a reset, where the transport knows that (MMIO, §4.2.2.2; PCI doesn't). */
  disableQueue?(index: number): Awaitable<void>;
  /** An available buffer notification; `kickValue` as DriverQueue gives it (§2.9). */
  notify(kickValue: number): Awaitable<void>;
  /** Sends the device's notifications to `handler` from now on. */
  onInterrupt(handler: NotificationHandler): void;
  /** Why FEATURES_OK was refused, where the device can be asked; no real transport can. */
  refusal?(): string | undefined;
}
