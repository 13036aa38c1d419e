/**
 * The driver's side of virtio-mmio (§4.2), version 2 and the legacy version 1, over any bus of registers. It answers at
 * once where the bus does. It keeps no copy of a register; shared memory regions are not for it.
 */
import type { Awaitable, NotificationHandler, PortQueueSetup, TransportPort } from "../driver/port";
import { VirtioError } from "../errors";
import * as mmio from "../spec/mmio";
import { LegacyPortQueues } from "./mmio-port-legacy-queues";
import { type MmioPortQueues, ModernPortQueues } from "./mmio-port-queues";
import type { RegisterBus } from "./register-bus";
import { RegisterSequences, runSequence, type Sequence } from "./register-sequence";

/** InterruptStatus bits that stand for something (§4.2.2.2). */
const EVENTS = mmio.VIRTIO_MMIO_INT_VRING | mmio.VIRTIO_MMIO_INT_CONFIG;

/** One virtio-mmio device, as a driver reaches it. */
export class MmioPort implements TransportPort {
  readonly transport = "mmio";
  readonly deviceId: number;
  /** The Version register: 2, or 1 for a device behind the legacy register layout. */
  readonly version: 1 | 2;
  readonly #bus: RegisterBus;
  readonly #sequences = new RegisterSequences();
  readonly #queues: MmioPortQueues;
  #handler: NotificationHandler | undefined;

  private constructor(bus: RegisterBus, deviceId: number, version: 1 | 2) {
    this.#bus = bus;
    this.deviceId = deviceId;
    this.version = version;
    this.#queues = version === 2 ? new ModernPortQueues(bus) : new LegacyPortQueues(bus);
  }

  /**
   * Looks whether there is a device behind the bus, in the order of §4.2.3.1.1: MagicValue, Version, DeviceID.
   *
   * @returns the port, or undefined for a placeholder (DeviceID 0), which is no error (§4.2.2.2)
   * @throws VirtioError MMIO_MAGIC, MMIO_VERSION
   */
  static async probe(bus: RegisterBus): Promise<MmioPort | undefined> {
    const magic = (await bus.read(mmio.VIRTIO_MMIO_MAGIC_VALUE, 4)) >>> 0;
    if (magic !== mmio.VIRTIO_MMIO_MAGIC) {
      const text = `MagicValue reads ${word(magic)}, ${word(mmio.VIRTIO_MMIO_MAGIC)} makes a virtio-mmio device`;
      throw new VirtioError("MMIO_MAGIC", text, { section: "4.2.2.2" });
    }
    const version = await bus.read(mmio.VIRTIO_MMIO_VERSION, 4);
    if (version !== mmio.VIRTIO_MMIO_VERSION_MODERN && version !== mmio.VIRTIO_MMIO_VERSION_LEGACY) {
      const text = `Version reads ${version}: 2 and the legacy 1 are known`;
      throw new VirtioError("MMIO_VERSION", text, { section: "4.2.2.2" });
    }
    const deviceId = await bus.read(mmio.VIRTIO_MMIO_DEVICE_ID, 4);
    if (deviceId === 0) return undefined;
    return new MmioPort(bus, deviceId, version);
  }

  /**
   * The port of a device that must be there.
   *
   * @throws VirtioError as {@link probe}, and DEVICE_ABSENT for a placeholder
   */
  static async open(bus: RegisterBus): Promise<MmioPort> {
    const port = await MmioPort.probe(bus);
    if (port !== undefined) return port;
    const text = "DeviceID reads 0: a placeholder, and a device from 1 on was to be opened";
    throw new VirtioError("DEVICE_ABSENT", text, { section: "4.2.2.2" });
  }

  readDeviceFeatures(window: number): Awaitable<number> {
    return this.#sequences.run(this.#offered(window));
  }

  writeDriverFeatures(window: number, value: number): Awaitable<void> {
    return this.#sequences.run(this.#accept(window, value));
  }

  readStatus(): Awaitable<number> {
    return this.#bus.read(mmio.VIRTIO_MMIO_STATUS, 4);
  }

  writeStatus(value: number): Awaitable<void> {
    if (value === 0) this.#queues.wereReset();
    return this.#bus.write(mmio.VIRTIO_MMIO_STATUS, 4, value);
  }

  readConfig(offset: number, bytes: 1 | 2 | 4): Awaitable<number> {
    return this.#bus.read(mmio.VIRTIO_MMIO_CONFIG + offset, bytes);
  }

  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number): Awaitable<void> {
    return this.#bus.write(mmio.VIRTIO_MMIO_CONFIG + offset, bytes, value >>> 0);
  }

  /** Always 0 on version 1, whose layout has no such register (§4.2.4). */
  configGeneration(): Awaitable<number> {
    return this.version === 1 ? 0 : this.#bus.read(mmio.VIRTIO_MMIO_CONFIG_GENERATION, 4);
  }

  /** @throws VirtioError QUEUE_LOCKED on version 1 while the queue is in use: the register may not be read then */
  queueMaxSize(index: number): Awaitable<number> {
    return this.#sequences.run(this.#queues.maxSize(index));
  }

  /**
   * Sets a queue up and enables it, in the order of §4.2.3.2.
   *
   * @throws VirtioError QUEUE_LOCKED if the queue is in use, QUEUE_SIZE_INVALID if the device allows fewer descriptors, and
   *   on version 1 RING_ALIGN if the areas are not one run of pages
   */
  enableQueue(index: number, setup: PortQueueSetup): Awaitable<void> {
    return this.#sequences.run(this.#queues.enable(index, setup));
  }

  queueReady(index: number): Awaitable<boolean> {
    return this.#sequences.run(this.#queues.isReady(index));
  }

  /** Stops a queue, and reads that back: §4.2.2.2 wants it for synchronisation. */
  disableQueue(index: number): Awaitable<void> {
    return this.#sequences.run(this.#queues.disable(index));
  }

  /** @throws VirtioError STATUS_SEQUENCE on version 1, which has no QueueReset */
  resetQueue(index: number): Awaitable<void> {
    return this.#sequences.run(this.#queues.reset(index));
  }

  queueInReset(index: number): Awaitable<boolean> {
    return this.#sequences.run(this.#queues.isInReset(index));
  }

  /** The queue index, or with NOTIFICATION_DATA its 32 bits: the driver half has made it so (§4.2.3.3). */
  notify(kickValue: number): Awaitable<void> {
    return this.#bus.write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 4, kickValue >>> 0);
  }

  onInterrupt(handler: NotificationHandler): void {
    this.#handler = handler;
  }

  /**
   * Handles the device's interrupt: whoever owns the line calls this. Used buffers are told without a queue, since the
   * register names none (§4.2.3.4). A spurious or shared interrupt does nothing.
   */
  handleInterrupt(): Awaitable<void> {
    return runSequence(this.#interrupt());
  }

  *#offered(window: number): Sequence<number> {
    yield this.#bus.write(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4, window);
    return (yield this.#bus.read(mmio.VIRTIO_MMIO_DEVICE_FEATURES, 4)) >>> 0;
  }

  *#accept(window: number, value: number): Sequence<void> {
    yield this.#bus.write(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 4, window);
    yield this.#bus.write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, 4, value >>> 0);
  }

  *#interrupt(): Sequence<void> {
    // §4.2.2.2: bits that stand for nothing are neither heeded nor acknowledged.
    const events = (yield this.#bus.read(mmio.VIRTIO_MMIO_INTERRUPT_STATUS, 4)) & EVENTS;
    if (events === 0) return;
    // Before the handler, not after: what the device does in between sets its bit again, and is not lost.
    yield this.#bus.write(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 4, events);
    if ((events & mmio.VIRTIO_MMIO_INT_VRING) !== 0) this.#handler?.("used");
    if ((events & mmio.VIRTIO_MMIO_INT_CONFIG) !== 0) this.#handler?.("config");
  }
}

function word(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
