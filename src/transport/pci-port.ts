/**
 * The driver's side of virtio-pci (§4.1), the modern interface and the legacy one, over any PciBus. It answers at once
 * where the bus does. Mapping BARs, bus mastering and the MSI-X table are the platform's; shared memory is not for it.
 */
import type { Awaitable, NotificationHandler, PortQueueSetup, TransportPort } from "../driver/port";
import { VirtioError } from "../errors";
import { VIRTIO_PCI_ISR_CONFIG, VIRTIO_PCI_ISR_QUEUE } from "../spec/pci";
import { VIRTIO_CONFIG_S_DRIVER_OK } from "../spec/status";
import type { PciBus } from "./pci-bus";
import { capabilityList } from "./pci-port-capabilities";
import { AcceptedFeatures } from "./pci-port-features";
import { type FunctionIdentity, identify, isTransitional } from "./pci-port-identity";
import { LegacyPciRegisters, legacyWindow } from "./pci-port-legacy";
import { ModernPciRegisters } from "./pci-port-modern";
import type { PciRegisters } from "./pci-port-registers";
import { findStructures, type PortStructures } from "./pci-port-structures";
import { type PciPortVectors, PortVectors } from "./pci-port-vectors";
import { configurationWindows, mappedWindows, type Windows } from "./pci-port-window";
import { RegisterSequences, runSequence, type Sequence } from "./register-sequence";

/** How a device is to be used. */
export interface PciPortOptions {
  /**
   * True: through its legacy interface, even if it has the modern one. False: never, as a non-transitional driver.
   * Default: if it shows no capability of virtio that can be used (§4.1.5.1.1.1).
   */
  readonly legacy?: boolean;
  /**
   * Through its BARs, or without them through the configuration space (§4.1.4.9), which the legacy interface can't be
   * reached by. Default "bar".
   */
  readonly access?: "bar" | "pci-cfg";
  /** Vectors for its events, where the platform has set MSI-X up and switched it on. Default: the interrupt line. */
  readonly vectors?: PciPortVectors;
}

/** One virtio-pci device, as a driver reaches it. A queue can't be stopped here but by a reset (§4.1.4.3.2). */
export class PciPort implements TransportPort {
  readonly transport = "pci";
  readonly deviceId: number;
  /** PCI revision: 0 for a transitional device. */
  readonly revision: number;
  /** Whether the device is used through its legacy interface. */
  readonly isLegacy: boolean;
  /** True on the legacy interface (§4.1.5.1.3.1). */
  readonly fixedQueueSize: boolean;
  readonly #registers: PciRegisters;
  readonly #features: AcceptedFeatures;
  readonly #vectors: PortVectors;
  readonly #sequences = new RegisterSequences();
  #handler: NotificationHandler | undefined;

  private constructor(
    { deviceId, revision }: FunctionIdentity,
    registers: PciRegisters,
    features: AcceptedFeatures,
    vectors: PortVectors,
  ) {
    this.deviceId = deviceId;
    this.revision = revision;
    this.isLegacy = registers instanceof LegacyPciRegisters;
    this.fixedQueueSize = this.isLegacy;
    this.#registers = registers;
    this.#features = features;
    this.#vectors = vectors;
  }

  /**
   * Looks whether there is a virtio device, and how it can be used (§4.1.2, §4.1.5.1.1). Nothing of it is written.
   *
   * @returns the port, or undefined where no function answers, which is no error
   * @throws VirtioError PCI_ID for a device that is not virtio's, or not transitional where `legacy` is wanted;
   *   PCI_CAPABILITY for a structure or a legacy window that is missing or can't be used; PCI_VECTOR without MSI-X,
   *   BAD_ARGUMENT for a vector beyond its table
   */
  static async probe(bus: PciBus, options: PciPortOptions = {}): Promise<PciPort | undefined> {
    const identity = await identify(bus);
    if (identity === undefined) return undefined;
    const capabilities = await capabilityList(bus);
    const vectors = await PortVectors.of(bus, capabilities, options.vectors);
    const features = new AcceptedFeatures();
    const isMapped = options.access !== "pci-cfg";
    const search = options.legacy ? undefined : await findStructures(bus, capabilities, isMapped);
    if (search?.structures !== undefined) {
      const windows = isMapped ? mappedWindows(bus) : unmappedWindows(bus, search.structures);
      const registers = new ModernPciRegisters(windows, search.structures, features, vectors);
      return new PciPort(identity, registers, features, vectors);
    }
    // The legacy interface is for devices that say so, or for whoever asks for it.
    if (search !== undefined && (options.legacy === false || !isMapped || !isTransitional(identity))) {
      const text = `no capability of virtio can be used: ${search.why}`;
      throw new VirtioError("PCI_CAPABILITY", text, { section: "4.1.5.1.1" });
    }
    const size = await legacyWindow(bus, identity, vectors);
    const registers = new LegacyPciRegisters(mappedWindows(bus), size, vectors);
    return new PciPort(identity, registers, features, vectors);
  }

  /**
   * The port of a device that must be there.
   *
   * @throws VirtioError as {@link probe}, and DEVICE_ABSENT where no function answers
   */
  static async open(bus: PciBus, options: PciPortOptions = {}): Promise<PciPort> {
    const port = await PciPort.probe(bus, options);
    if (port !== undefined) return port;
    const text =
      "the vendor reads 0xffff: no function answers, and a device of vendor 0x1af4 was to be opened";
    throw new VirtioError("DEVICE_ABSENT", text, { section: "4.1.2" });
  }

  readDeviceFeatures(word: number): Awaitable<number> {
    return this.#sequences.run(this.#registers.offered(word));
  }

  /** @throws VirtioError FEATURES_REFUSED on the legacy interface for a feature from 32 on */
  writeDriverFeatures(word: number, value: number): Awaitable<void> {
    this.#features.accept(word, value);
    return this.#sequences.run(this.#registers.accept(word, value));
  }

  readStatus(): Awaitable<number> {
    return runSequence(this.#readStatus());
  }

  /** @throws VirtioError PCI_VECTOR at DRIVER_OK if configuration changes can't be mapped to their vector */
  writeStatus(value: number): Awaitable<void> {
    return runSequence(this.#writeStatus(value));
  }

  /** @throws VirtioError CONFIG_RANGE beyond the configuration, and on the modern interface for what lies askew */
  readConfig(offset: number, bytes: 1 | 2 | 4): Awaitable<number> {
    return this.#registers.config.read(offset, bytes);
  }

  /** @throws VirtioError as {@link readConfig} */
  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number): Awaitable<void> {
    return this.#registers.config.write(offset, bytes, value >>> 0);
  }

  /** 8 bits; always 0 on the legacy interface, which has no such register. */
  configGeneration(): Awaitable<number> {
    return this.#registers.generation();
  }

  /** Also after the driver has written a smaller size: the largest that the device has shown since its reset. */
  queueMaxSize(index: number): Awaitable<number> {
    return this.#sequences.run(this.#registers.queues.maxSize(index));
  }

  /**
   * Sets a queue up and enables it, in the order of §4.1.5.1.3.
   *
   * @throws VirtioError QUEUE_LOCKED if the queue is in use, QUEUE_SIZE_INVALID if it can't have that size, PCI_VECTOR if
   *   its vector can't be mapped, PCI_CAPABILITY if it would be notified outside the notification structure; on the
   *   legacy interface RING_ALIGN if the areas are not one run of pages
   */
  enableQueue(index: number, setup: PortQueueSetup): Awaitable<void> {
    return this.#sequences.run(this.#registers.queues.enable(index, setup));
  }

  queueReady(index: number): Awaitable<boolean> {
    return this.#sequences.run(this.#registers.queues.isReady(index));
  }

  /** @throws VirtioError STATUS_SEQUENCE without RING_RESET, or on the legacy interface */
  resetQueue(index: number): Awaitable<void> {
    return this.#sequences.run(this.#registers.queues.reset(index));
  }

  /** @throws VirtioError STATUS_SEQUENCE without RING_RESET */
  queueInReset(index: number): Awaitable<boolean> {
    return this.#sequences.run(this.#registers.queues.isInReset(index));
  }

  /**
   * One write to the queue's own address (§4.1.5.2): 32 bits with NOTIFICATION_DATA, 16 without, and with
   * NOTIF_CONFIG_DATA the device's word for the queue instead of its index.
   *
   * @throws VirtioError QUEUE_NOT_READY for a queue that was not enabled since the last reset
   */
  notify(kickValue: number): Awaitable<void> {
    return this.#registers.notify(kickValue);
  }

  onInterrupt(handler: NotificationHandler): void {
    this.#handler = handler;
  }

  /**
   * Handles the interrupt line: whoever owns it calls this. Used buffers are told without a queue, since ISR status names
   * none (§4.1.5.5). A spurious or shared interrupt does nothing, nor does any where MSI-X was on when the port was opened.
   */
  handleInterrupt(): Awaitable<void> {
    return runSequence(this.#interrupt());
  }

  /** Handles a message: whoever owns the vector calls this. One may stand for several events (§4.1.5.4.2). */
  handleVector(vector: number): void {
    for (const queue of this.#vectors.queuesOf(vector)) this.#handler?.("used", queue);
    if (this.#vectors.isConfig(vector)) this.#handler?.("config");
  }

  *#readStatus(): Sequence<number> {
    const status = yield this.#registers.status.read();
    this.#features.sawStatus(status);
    return status;
  }

  *#writeStatus(value: number): Sequence<void> {
    if (value === 0) {
      this.#features.wereReset();
      this.#vectors.wereReset();
      this.#registers.queues.wereReset();
    } else this.#features.sawStatus(value);
    if ((value & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) {
      yield* this.#vectors.mapConfig(this.#registers.configVector);
    }
    yield this.#registers.status.write(value);
  }

  *#interrupt(): Sequence<void> {
    // §4.1.4.5.2: with MSI-X the register is not for reading.
    if (this.#vectors.isEnabled) return;
    // The read acknowledges: what the device does from now on sets its bit again, and is not lost.
    const events = yield this.#registers.isr.read();
    if ((events & VIRTIO_PCI_ISR_QUEUE) !== 0) this.#handler?.("used");
    if ((events & VIRTIO_PCI_ISR_CONFIG) !== 0) this.#handler?.("config");
  }
}

/** @throws VirtioError PCI_CAPABILITY without the capability of §4.1.4.9 */
function unmappedWindows(bus: PciBus, { access }: PortStructures): Windows {
  if (access !== undefined) return configurationWindows(bus, access);
  const text = "the configuration space gives no access to the BARs: there is no capability of cfg_type 5";
  throw new VirtioError("PCI_CAPABILITY", text, { section: "4.1.4.9" });
}
