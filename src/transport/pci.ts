/**
 * virtio-pci, the device's side (§4.1): configuration space, base address registers and interrupts of one function, that
 * an emulator puts on its bus; it still calls `device.process()`. An access never throws: what the section forbids becomes
 * a violation event of the device and changes nothing, a read of it gives 0. Bus mastering is not enforced.
 */
import type { VirtioDevice } from "../device/device";
import { sealed } from "../device/image-seal";
import { PCI_BASE_ADDRESS_0, PCI_COMMAND } from "../spec/pci-header";
import { PciBarSpace, type PlacedStructure } from "./pci-bar-space";
import { barsFor, type PciBar } from "./pci-bars";
import { addCapabilities } from "./pci-capabilities";
import { PciConfigSpace } from "./pci-config-space";
import { PciDeviceFields } from "./pci-device-fields";
import { decodedBase, setBars, setHeader } from "./pci-header";
import { pciIdentity } from "./pci-identity";
import { type PciImage, type PciRegistersImage, readPciImage } from "./pci-image";
import { PciInterrupts } from "./pci-interrupts";
import { placeLegacyWindow, placeMsix, placeSharedMemory, placeStructures } from "./pci-layout";
import { PciLegacyWindow } from "./pci-legacy-window";
import { PciMsix } from "./pci-msix";
import { PciNotifyAddresses } from "./pci-notify";
import { checkPciOptions, type PciOptions } from "./pci-options";
import { PciQueues } from "./pci-queues";
import { pciStructures } from "./pci-structures";
import { PciVectors } from "./pci-vectors";

/** One virtio device as a function on a PCI bus. */
export class PciTransport {
  readonly device: VirtioDevice;
  /** The base address registers that exist, by index. */
  readonly bars: readonly PciBar[];
  private readonly config: PciConfigSpace;
  private readonly space: PciBarSpace;
  private readonly fields: PciDeviceFields;
  private readonly queues: PciQueues;
  private readonly vectors: PciVectors;
  private readonly msix: PciMsix | undefined;
  private readonly interrupts: PciInterrupts;
  private readonly onDecode: () => void;

  /**
   * Takes the device's notifications over.
   *
   * @throws VirtioError BAD_ARGUMENT for a device that offers ADMIN_VQ, a transitional one whose profile knows no legacy
   * drivers or whose type has no transitional ID, structures that overlap or don't fit, and numbers out of range
   */
  constructor(device: VirtioDevice, options: PciOptions = {}) {
    const { transitional = false, sharedMemory = [], onInterrupt, onMessage, onDecode } = options;
    const { vectors: count } = checkPciOptions(device, options);
    this.device = device;
    this.onDecode = () => onDecode?.();
    const config = new PciConfigSpace(device);
    this.config = config;
    setHeader(config, pciIdentity(device, transitional, options));
    const msix = count === 0 ? undefined : new PciMsix(count, config, (message) => onMessage?.(message));
    this.msix = msix;
    const addresses = new PciNotifyAddresses(device, options);
    const vectors = new PciVectors(device, count);
    this.vectors = vectors;
    const queues = new PciQueues(device, vectors, addresses);
    this.queues = queues;
    const interrupts = new PciInterrupts({
      config,
      msix,
      vectorOf: (kind, queue) => (kind === "config" ? vectors.config : queues.vectorOf(queue)),
      onLevel: (level) => onInterrupt?.(level),
    });
    this.interrupts = interrupts;
    const fields = new PciDeviceFields(device, () => this.forget());
    this.fields = fields;

    const parts = { device, fields, queues, interrupts, vectors, msix, addresses };
    const structures = placeStructures(device, pciStructures(parts), options.structures);
    const shared = placeSharedMemory(sharedMemory);
    const table = msix && placeMsix(device, msix);
    const placed: PlacedStructure[] = [
      ...(transitional ? [placeLegacyWindow(new PciLegacyWindow(parts))] : []),
      ...(table === undefined ? [] : [table.table, table.pba]),
      ...[...shared.values()].map((region) => ({ region })),
      ...structures.values(),
    ];
    this.bars = barsFor(placed.map(({ region }) => region));
    this.space = new PciBarSpace(device, placed);
    setBars(config, this.bars, options.barAddresses ?? {});
    const { multiplier } = addresses;
    addCapabilities({
      device,
      config,
      bars: this.space,
      structures,
      shared,
      multiplier,
      msix,
      table,
      interrupts,
    });
    this.watchHeader();
    config.seal();
    device.connect((kind, queue) => interrupts.raise(kind, queue));
  }

  /** The level of INTA#: high while the ISR status is not zero, unless it is disabled or MSI-X is enabled. */
  get interruptLevel(): boolean {
    return this.interrupts.level;
  }

  // The bus

  /** The driver reads configuration space: 1, 2 or 4 bytes, aligned, at offset 0…255; little-endian. */
  readConfig(offset: number, bytes: number): number {
    return this.config.read(offset, bytes);
  }

  /** The driver writes configuration space; bits that can't be written keep their value. */
  writeConfig(offset: number, value: number, bytes: number): void {
    this.config.write(offset, value, bytes);
  }

  /**
   * The driver reads from a BAR, whatever the command register says: decoding is the emulator's.
   *
   * @param bar its index
   * @param offset from the start of the BAR
   * @param bytes width of the access
   * @returns the value, little-endian; 0 for what can't be read
   */
  readBar(bar: number, offset: number, bytes: number): number {
    return this.space.readBar(bar, offset, bytes);
  }

  /** The driver writes to a BAR; the low `bytes` of the value count. What is no field takes nothing. */
  writeBar(bar: number, offset: number, value: number, bytes: number): void {
    this.space.writeBar(bar, offset, value, bytes);
  }

  // The host's side

  /**
   * Where a BAR is on the bus, as the guest has it in the BAR's register.
   *
   * @returns an address, or undefined while the command register doesn't let the function respond there
   */
  barBase(index: number): bigint | undefined {
    const bar = this.bars.find((one) => one.index === index);
    return bar && decodedBase(this.config, bar);
  }

  /**
   * All 256 bytes of configuration space, a copy, for an emulator that keeps it itself. Such an emulator sizes and moves
   * the `bars` and masks INTx on its own; it passes on what falls into a BAR. It needs `vectors` 0, since MSI-X is enabled
   * in configuration space, and the window of §4.1.4.9 works only if it passes accesses to that capability on, too.
   */
  configSpaceImage(): Uint8Array {
    return this.config.image();
  }

  /** A reset of the function (RST# or FLR): of the device, of configuration space and of the MSI-X table. */
  reset(): void {
    this.config.reset();
    this.msix?.resetFunction();
    this.fields.reset();
    this.queues.select(0);
    this.device.writeStatus(0);
    this.forget();
    this.onDecode();
  }

  /**
   * The function and its device as plain data, between any two accesses: `device.save()` and what the registers here hold.
   * Changes nothing.
   *
   * @throws VirtioError DEVICE_BUSY as {@link VirtioDevice.save}
   */
  save(): PciImage {
    const { interrupts, device } = this;
    const registers = this.registers();
    return sealed({ schema: "virtq.pci/1", ...registers, isr: interrupts.isr, device: device.save() });
  }

  /**
   * Goes on where {@link save} left a function of the same device and options, as `device.restore` does for its device,
   * whose notifications find their vectors. INTA# is high afterwards if it was, or for a notification of the restored device.
   *
   * @param image what `save` gave, or `JSON.stringify` of it, to the byte
   * @throws VirtioError SNAPSHOT_INVALID, DEVICE_BUSY as {@link VirtioDevice.restore}; nothing has changed then
   */
  restore(image: unknown): void {
    const good = this.read(image);
    const before = this.registers();
    this.take(good);
    try {
      this.device.restore(good.device);
    } catch (error) {
      this.take(before);
      throw error;
    }
    this.interrupts.restore(good.isr);
    this.onDecode();
  }

  /**
   * Judges an image as {@link restore} does, and changes nothing: for an emulator that has to know before it restores what
   * is its own. Guest memory is not looked at.
   *
   * @throws VirtioError as {@link restore}
   */
  judge(image: unknown): void {
    this.device.judge(this.read(image).device);
  }

  private read(image: unknown): PciImage {
    const { config, device, vectors, queues } = this;
    const misfit = (bytes: readonly number[]) => config.misfit(bytes);
    const read = readPciImage(image, { misfit, queues: device.queueCount, vectors: vectors.count });
    queues.judge(read);
    return read;
  }

  /** What the registers hold, but for the ISR status. */
  private registers(): PciRegistersImage {
    const { config, fields, queues, vectors, msix } = this;
    return {
      config: [...config.image()],
      deviceFeatureSelect: fields.deviceFeatureSelect,
      driverFeatureSelect: fields.driverFeatureSelect,
      queueSelect: queues.index,
      configVector: vectors.config,
      queues: queues.save(),
      ...(msix?.save() ?? { table: [], pending: [] }),
    };
  }

  /** Takes over what was judged; nobody is told. */
  private take(image: PciRegistersImage): void {
    const { config, fields, queues, vectors, msix } = this;
    config.restore(image.config);
    fields.deviceFeatureSelect = image.deviceFeatureSelect;
    fields.driverFeatureSelect = image.driverFeatureSelect;
    queues.select(image.queueSelect);
    queues.restore(image.queues);
    vectors.config = image.configVector;
    msix?.restore(image);
  }

  /** What the device's reset makes the registers forget (§2.4.1); selectors and all that is PCI's stay. */
  private forget(): void {
    this.queues.reset();
    this.vectors.reset();
    this.interrupts.reset();
  }

  private watchHeader(): void {
    const { config, interrupts, onDecode } = this;
    config.watch({
      at: PCI_COMMAND,
      length: 2,
      written: () => {
        interrupts.update();
        onDecode();
      },
    });
    config.watch({ at: PCI_BASE_ADDRESS_0, length: 24, written: onDecode });
  }
}
