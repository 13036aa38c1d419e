/**
 * virtio-mmio, the device's side (§4.2): a window of registers that an emulator maps, versions 2 and 1 (legacy).
 * The emulator passes accesses on and drives its interrupt line; it still calls `device.process()`. An access never
 * throws: what the section forbids becomes a violation event of the device and changes nothing, a read of it gives 0.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import { nameAndBit } from "../negotiation/feature-names";
import { VIRTIO_F_ADMIN_VQ, VIRTIO_F_NOTIF_CONFIG_DATA } from "../spec/features";
import {
  VIRTIO_MMIO_CONFIG,
  VIRTIO_MMIO_CONFIG_GENERATION,
  VIRTIO_MMIO_DEVICE_FEATURES,
  VIRTIO_MMIO_DEVICE_FEATURES_SEL,
  VIRTIO_MMIO_DEVICE_ID,
  VIRTIO_MMIO_DRIVER_FEATURES,
  VIRTIO_MMIO_DRIVER_FEATURES_SEL,
  VIRTIO_MMIO_MAGIC,
  VIRTIO_MMIO_MAGIC_VALUE,
  VIRTIO_MMIO_QUEUE_NOTIFY,
  VIRTIO_MMIO_STATUS,
  VIRTIO_MMIO_VENDOR_ID,
  VIRTIO_MMIO_VERSION,
  VIRTIO_MMIO_VERSION_LEGACY,
  VIRTIO_MMIO_VERSION_MODERN,
} from "../spec/mmio";
import { MmioInterrupt } from "./mmio-interrupt";
import { MmioLegacyQueues } from "./mmio-legacy-queues";
import { MmioQueues } from "./mmio-queues";
import type { MmioRegister } from "./mmio-register";
import { MmioSharedMemory } from "./mmio-shared-memory";
import type { SharedMemoryRegion } from "./shared-memory";

/** What a window is made with. */
export interface MmioOptions {
  /** What the Version register reads: 2, or 1 for a legacy device. Default 2. */
  readonly version?: 1 | 2;
  /** Drives the interrupt line: called at each change of the level, from within whatever caused it. */
  readonly onInterrupt?: (level: boolean) => void;
  /** A u32. Default 0. */
  readonly vendorId?: number;
  /** The device's shared memory regions (§2.10), version 2 alone. Default none. */
  readonly sharedMemory?: readonly SharedMemoryRegion[];
}

/** One device in its window of registers. */
export class MmioTransport {
  readonly device: VirtioDevice;
  readonly version: 1 | 2;
  private readonly interrupt: MmioInterrupt;
  private readonly queues: MmioQueues | MmioLegacyQueues;
  private readonly registers: ReadonlyMap<number, MmioRegister>;
  private deviceFeaturesSel = 0;
  private driverFeaturesSel = 0;

  /**
   * Takes the device's notifications over.
   *
   * @throws VirtioError BAD_ARGUMENT for a device that offers what MMIO doesn't have, for version 1 with a profile that
   * knows no legacy drivers, and for numbers out of range
   */
  constructor(device: VirtioDevice, options: MmioOptions = {}) {
    const { version = VIRTIO_MMIO_VERSION_MODERN, onInterrupt, vendorId = 0, sharedMemory = [] } = options;
    checkOptions(device, version, vendorId);
    this.device = device;
    this.version = version;
    this.interrupt = new MmioInterrupt((level) => onInterrupt?.(level));
    this.queues =
      version === VIRTIO_MMIO_VERSION_LEGACY ? new MmioLegacyQueues(device) : new MmioQueues(device);
    const registers = [
      ...this.ownRegisters(vendorId),
      ...this.interrupt.registers((error) => device.violation(error)),
      ...this.queues.registers(),
      ...(version === VIRTIO_MMIO_VERSION_LEGACY ? [] : this.modernRegisters(sharedMemory)),
    ];
    this.registers = new Map(registers.map((register) => [register.at, register]));
    device.connect((kind) => this.interrupt.raise(kind), { versionRegister: version });
  }

  /** The level of the interrupt line: high while InterruptStatus is not zero (§4.2.3.4). */
  get interruptLevel(): boolean {
    return this.interrupt.level;
  }

  /**
   * The driver reads.
   *
   * @param offset from the start of the window
   * @param bytes width of the access
   * @returns the value, little-endian; 0 for what can't be read
   */
  read(offset: number, bytes: number): number {
    const breach = wrongAccess("read", offset, bytes);
    if (breach !== undefined) {
      this.device.violation(breach);
      return 0;
    }
    if (offset >= VIRTIO_MMIO_CONFIG) return this.device.readConfig(offset - VIRTIO_MMIO_CONFIG, bytes);
    return this.registers.get(offset)?.read?.() ?? 0;
  }

  /**
   * The driver writes. What is no register takes nothing.
   *
   * @param offset from the start of the window
   * @param value little-endian; its low `bytes` count
   * @param bytes width of the access
   */
  write(offset: number, value: number, bytes: number): void {
    const breach = wrongAccess("write", offset, bytes);
    if (breach !== undefined) {
      this.device.violation(breach);
      return;
    }
    if (offset >= VIRTIO_MMIO_CONFIG) {
      const mask = bytes === 4 ? 0xffff_ffff : 2 ** (8 * bytes) - 1;
      this.device.writeConfig(offset - VIRTIO_MMIO_CONFIG, bytes, (value & mask) >>> 0);
      return;
    }
    const register = this.registers.get(offset);
    if (register?.write !== undefined) register.write(value >>> 0);
    else if (register !== undefined) this.device.violation(readOnly(register, value));
  }

  private ownRegisters(vendorId: number): MmioRegister[] {
    const { device, version } = this;
    return [
      { at: VIRTIO_MMIO_MAGIC_VALUE, name: "MagicValue", read: () => VIRTIO_MMIO_MAGIC },
      { at: VIRTIO_MMIO_VERSION, name: "Version", read: () => version },
      { at: VIRTIO_MMIO_DEVICE_ID, name: "DeviceID", read: () => device.model.deviceId },
      { at: VIRTIO_MMIO_VENDOR_ID, name: "VendorID", read: () => vendorId },
      { at: VIRTIO_MMIO_DEVICE_FEATURES, name: "DeviceFeatures", read: () => this.readFeatures() },
      {
        at: VIRTIO_MMIO_DEVICE_FEATURES_SEL,
        name: "DeviceFeaturesSel",
        write: (word) => {
          this.deviceFeaturesSel = word;
        },
      },
      { at: VIRTIO_MMIO_DRIVER_FEATURES, name: "DriverFeatures", write: (bits) => this.writeFeatures(bits) },
      {
        at: VIRTIO_MMIO_DRIVER_FEATURES_SEL,
        name: "DriverFeaturesSel",
        write: (word) => {
          this.driverFeaturesSel = word;
        },
      },
      { at: VIRTIO_MMIO_QUEUE_NOTIFY, name: "QueueNotify", write: (value) => device.notify(value) },
      {
        at: VIRTIO_MMIO_STATUS,
        name: "Status",
        read: () => device.readStatus(),
        write: (value) => this.writeStatus(value),
      },
    ];
  }

  private modernRegisters(regions: readonly SharedMemoryRegion[]): MmioRegister[] {
    const generation = () => this.device.configGeneration();
    return [
      ...new MmioSharedMemory(regions).registers(),
      { at: VIRTIO_MMIO_CONFIG_GENERATION, name: "ConfigGeneration", read: generation },
    ];
  }

  /** §6.3: the legacy interface has the features of word 0 alone. */
  private lacksWord(word: number): boolean {
    return this.version === VIRTIO_MMIO_VERSION_LEGACY && word > 0;
  }

  private readFeatures(): number {
    return this.lacksWord(this.deviceFeaturesSel) ? 0 : this.device.readFeatures(this.deviceFeaturesSel);
  }

  private writeFeatures(bits: number): void {
    const { device, driverFeaturesSel: word } = this;
    if (!this.lacksWord(word)) device.writeFeatures(word, bits);
    else if (bits !== 0) {
      const reason = `features ${hex(bits, 8)} accepted in word ${word}, a legacy device has word 0`;
      device.violation(new VirtioError("BAD_ARGUMENT", reason, { section: "4.2.4" }));
    }
  }

  /** §4.2.2.1: a reset clears InterruptStatus and QueueReady, at once even if the device takes its time. */
  private writeStatus(value: number): void {
    this.device.writeStatus(value);
    if (value !== 0) return;
    this.queues.reset();
    this.interrupt.reset();
  }
}

/** §4.2.2.2: control registers take aligned words, the configuration bytes, aligned half-words and aligned words. */
function wrongAccess(how: "read" | "write", offset: number, bytes: number): VirtioError | undefined {
  const isControl = offset < VIRTIO_MMIO_CONFIG;
  const widthsFit = bytes === 4 || (!isControl && (bytes === 1 || bytes === 2));
  if (widthsFit && Number.isSafeInteger(offset) && offset >= 0 && offset % bytes === 0) return undefined;
  const attempt = `${how} of ${bytes} bytes at offset ${offset}`;
  const section = "4.2.2.2";
  if (!widthsFit) {
    const reason = `${attempt}: ${isControl ? "control registers take 4" : "the configuration takes 1, 2 or 4"}`;
    return new VirtioError("MMIO_WIDTH", reason, { section });
  }
  return new VirtioError("MMIO_ALIGN", `${attempt}: the offset is no multiple of ${bytes}`, { section });
}

function readOnly({ name, at }: MmioRegister, value: number): VirtioError {
  const reason = `${hex(value >>> 0)} written to ${name} at ${hex(at, 3)}, which is read-only`;
  return new VirtioError("MMIO_READONLY", reason, { section: "4.2.2.2" });
}

function checkOptions(device: VirtioDevice, version: number, vendorId: number): void {
  // ADMIN_VQ is reserved on MMIO (§4.2.5), NOTIF_CONFIG_DATA has no register here (§2.9).
  for (const bit of [VIRTIO_F_ADMIN_VQ, VIRTIO_F_NOTIF_CONFIG_DATA]) {
    if (device.offered.has(bit)) bad(`a device on MMIO can't offer ${nameAndBit(bit)}`);
  }
  if (version !== VIRTIO_MMIO_VERSION_LEGACY && version !== VIRTIO_MMIO_VERSION_MODERN) {
    bad(`version ${version} is neither 1 nor 2`);
  }
  if (version === VIRTIO_MMIO_VERSION_LEGACY && device.profile.legacy === undefined) {
    bad(`version ${version} is for legacy drivers, of which profile "${device.profile.name}" knows none`);
  }
  if (vendorId >>> 0 !== vendorId) bad(`vendor ID ${vendorId} is no u32`);
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.2" });
}
