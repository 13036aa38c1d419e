/**
 * v86 itself without a guest: tests play the driver through its I/O ports and write rings into its RAM. The processor
 * never runs, so that what happens is what the test does.
 */
import { createRequire } from "node:module";
import { V86, type V86Options } from "v86";
import type { V86Cpu, V86StockDevice } from "../../src/adapters/v86/emulator";
import { type StockDevice, stockDevice, v86Cpu } from "../../src/adapters/v86/hooks";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as pci from "../../src/spec/pci";
import { type Areas, RawMemory } from "../raw-ring";
import type { Ports } from "./v86-ports";

/** PCI device number << 3. */
const IDE = 0xf0;

export class V86Machine {
  readonly emulator: V86;
  readonly cpu: V86Cpu;
  /** Guest RAM. */
  readonly memory: RawMemory;

  private constructor(emulator: V86) {
    this.emulator = emulator;
    const cpu = v86Cpu(emulator);
    this.cpu = cpu;
    this.memory = new RawMemory(
      () => new Uint8Array(cpu.wasm_memory.buffer, cpu.mem8.byteOffset, cpu.memory_size[0]),
    );
  }

  static async start(options: V86Options): Promise<V86Machine> {
    const wasm_path = createRequire(import.meta.url).resolve("v86/build/v86.wasm");
    const emulator = new V86({ wasm_path, memory_size: 2 * 1024 * 1024, autostart: false, ...options });
    await new Promise<void>((resolve) => emulator.add_listener("emulator-ready", () => resolve()));
    const machine = new V86Machine(emulator);
    machine.clearIdeBars();
    return machine;
  }

  stock(type: StockDevice): V86StockDevice {
    const stock = stockDevice(this.cpu, type);
    if (stock === undefined) throw new Error(`no ${type}`);
    return stock;
  }

  registers(type: StockDevice): Registers {
    return new Registers(this.cpu.io as unknown as Ports, this.stock(type));
  }

  /** Sends an event to v86's devices, as its network adapters do. */
  send(event: string, value: unknown): void {
    (this.emulator as unknown as { bus: { send(event: string, value: unknown): void } }).bus.send(
      event,
      value,
    );
  }

  /** As firmware leaves them: v86 can't restore a snapshot while two BARs of its IDE controller, which it lacks, read 1. */
  private clearIdeBars(): void {
    const { device_spaces } = this.cpu.devices.pci as unknown as {
      device_spaces: Record<number, Int32Array>;
    };
    device_spaces[IDE]?.fill(0, 4, 6);
  }

  async stop(): Promise<void> {
    await this.emulator.destroy();
  }
}

/** What a driver does with the registers of one device (§4.1.4.3). */
export class Registers {
  private readonly io: Ports;
  private readonly common: number;
  private readonly notification: number;
  private readonly isrStatus: number;

  constructor(io: Ports, { virtio }: V86StockDevice) {
    const bar = (i: number) =>
      ((virtio.pci_space[16 + 4 * i] ?? 0) | ((virtio.pci_space[17 + 4 * i] ?? 0) << 8)) & ~1;
    this.io = io;
    this.common = bar(0);
    this.notification = bar(1);
    this.isrStatus = bar(2);
  }

  get status(): number {
    return this.io.port_read8(this.common + pci.VIRTIO_PCI_COMMON_STATUS);
  }
  set status(value: number) {
    this.io.port_write8(this.common + pci.VIRTIO_PCI_COMMON_STATUS, value);
  }

  /** Reading clears it. */
  get isr(): number {
    return this.io.port_read8(this.isrStatus);
  }

  get offered(): FeatureSet {
    return this.words(pci.VIRTIO_PCI_COMMON_DFSELECT, pci.VIRTIO_PCI_COMMON_DF);
  }

  get accepted(): FeatureSet {
    return this.words(pci.VIRTIO_PCI_COMMON_GFSELECT, pci.VIRTIO_PCI_COMMON_GF);
  }

  accept(set: FeatureSet): void {
    for (const word of [0, 1]) {
      this.io.port_write32(this.common + pci.VIRTIO_PCI_COMMON_GFSELECT, word);
      this.io.port_write32(this.common + pci.VIRTIO_PCI_COMMON_GF, set.word(word));
    }
  }

  /** Reset, ACKNOWLEDGE, DRIVER, the features, FEATURES_OK; gives the status then. */
  negotiate(...features: (string | number)[]): number {
    this.status = 0;
    this.status = 1;
    this.status = 3;
    this.accept(FeatureSet.from(features));
    this.status = 0xb;
    return this.status;
  }

  /** Programs and enables a queue; gives what queue_enable shows then. */
  enable(queue: number, size: number, areas: Areas): number {
    const { common, io } = this;
    io.port_write16(common + pci.VIRTIO_PCI_COMMON_Q_SELECT, queue);
    io.port_write16(common + pci.VIRTIO_PCI_COMMON_Q_SIZE, size);
    io.port_write32(common + pci.VIRTIO_PCI_COMMON_Q_DESCLO, areas.descriptor);
    io.port_write32(common + pci.VIRTIO_PCI_COMMON_Q_AVAILLO, areas.driver);
    io.port_write32(common + pci.VIRTIO_PCI_COMMON_Q_USEDLO, areas.device);
    io.port_write16(common + pci.VIRTIO_PCI_COMMON_Q_ENABLE, 1);
    return io.port_read16(common + pci.VIRTIO_PCI_COMMON_Q_ENABLE);
  }

  /** Writes a queue index where its notifications go, or at another offset of the BAR. */
  notify(queue: number, offset = 2 * this.notifyOffset(queue)): void {
    this.io.port_write16(this.notification + offset, queue);
  }

  private notifyOffset(queue: number): number {
    this.io.port_write16(this.common + pci.VIRTIO_PCI_COMMON_Q_SELECT, queue);
    return this.io.port_read16(this.common + pci.VIRTIO_PCI_COMMON_Q_NOFF);
  }

  private words(select: number, register: number): FeatureSet {
    const word = (i: number) => {
      this.io.port_write32(this.common + select, i);
      return this.io.port_read32(this.common + register) >>> 0;
    };
    return FeatureSet.fromWords([word(0), word(1)]);
  }
}
