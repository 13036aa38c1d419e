/**
 * A PCI function of registers without a device behind them, for tests of the driver's side: it logs every access, keeps
 * what is written, and throws for an access that a driver must not make, such as one of another width than the field's.
 */
import { expect } from "vitest";
import type { PortQueueSetup } from "../../src/driver/port";
import * as pci from "../../src/spec/pci";
import {
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_VNDR,
  PCI_CONFIG_SIZE,
  PCI_STATUS_CAP_LIST,
} from "../../src/spec/pci-header";
import type { PciBus } from "../../src/transport/pci-bus";

/** One access to a register, by its name. */
export type Access = readonly [how: "read" | "write", register: string, value: number];

/** A field: where, how wide, and whether a driver may write it. */
type Field = readonly [name: string, offset: number, bytes: 1 | 2 | 4, access: "r" | "rw"];

const COMMON: readonly Field[] = [
  ["device_feature_select", 0, 4, "rw"],
  ["device_feature", 4, 4, "r"],
  ["driver_feature_select", 8, 4, "rw"],
  ["driver_feature", 12, 4, "rw"],
  ["config_msix_vector", 16, 2, "rw"],
  ["num_queues", 18, 2, "r"],
  ["device_status", 20, 1, "rw"],
  ["config_generation", 21, 1, "r"],
  ["queue_select", 22, 2, "rw"],
  ["queue_size", 24, 2, "rw"],
  ["queue_msix_vector", 26, 2, "rw"],
  ["queue_enable", 28, 2, "rw"],
  ["queue_notify_off", 30, 2, "r"],
  ["queue_desc_low", 32, 4, "rw"],
  ["queue_desc_high", 36, 4, "rw"],
  ["queue_driver_low", 40, 4, "rw"],
  ["queue_driver_high", 44, 4, "rw"],
  ["queue_device_low", 48, 4, "rw"],
  ["queue_device_high", 52, 4, "rw"],
  ["queue_notif_config_data", 56, 2, "r"],
  ["queue_reset", 58, 2, "rw"],
];
const LEGACY_HEADER: readonly Field[] = [
  ["device_features", 0, 4, "r"],
  ["driver_features", 4, 4, "rw"],
  ["queue_address", 8, 4, "rw"],
  ["queue_size", 12, 2, "r"],
  ["queue_select", 14, 2, "rw"],
  ["queue_notify", 16, 2, "rw"],
  ["device_status", 18, 1, "rw"],
  ["isr_status", 19, 1, "r"],
];
const LEGACY_VECTORS: readonly Field[] = [
  ["config_msix_vector", 20, 2, "rw"],
  ["queue_msix_vector", 22, 2, "rw"],
];

/** A capability, its fields by default those of a good one of its type. */
export interface TestCapability {
  readonly id?: number;
  readonly type?: number;
  /** cap_len. */
  readonly size?: number;
  readonly bar?: number;
  readonly offset?: number;
  readonly length?: number;
  /** notify_off_multiplier, or Message Control of MSI-X. */
  readonly extra?: number;
  /** Where the list goes on instead of with the next one. */
  readonly next?: number;
  /** Where it stands instead of behind the one before. */
  readonly at?: number;
}

const { VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_CAP_ISR_CFG } = pci;
export const common: TestCapability = {
  type: VIRTIO_PCI_CAP_COMMON_CFG,
  bar: 4,
  offset: 0,
  length: pci.VIRTIO_PCI_COMMON_SIZE,
};
export const isr: TestCapability = { type: VIRTIO_PCI_CAP_ISR_CFG, bar: 4, offset: 0x1001, length: 1 };
export const device: TestCapability = {
  type: pci.VIRTIO_PCI_CAP_DEVICE_CFG,
  bar: 4,
  offset: 0x2000,
  length: 24,
};
export const notify: TestCapability = {
  type: VIRTIO_PCI_CAP_NOTIFY_CFG,
  size: pci.VIRTIO_PCI_NOTIFY_CAP_SIZE,
  bar: 4,
  offset: 0x3000,
  length: 0x100,
  extra: 4,
};
export const access: TestCapability = {
  type: pci.VIRTIO_PCI_CAP_PCI_CFG,
  size: pci.VIRTIO_PCI_CFG_CAP_SIZE,
  bar: 0,
  offset: 0,
  length: 0,
};
/** MSI-X with three vectors, switched on. */
export const msix: TestCapability = { id: PCI_CAP_ID_MSIX, size: 12, extra: 0x8002 };

/** A set-up of 8 descriptors, as the legacy layout has it too. */
export const setup: PortQueueSetup = {
  size: 8,
  areas: { descriptor: 0x1000, driver: 0x1080, device: 0x2000 },
};
/** What a legacy block device is made of. */
export const LEGACY = { device: 0x1001, revision: 0, capabilities: [] };
/** A VirtioError of this code. */
export const fails = (code: string) => expect.objectContaining({ code });

/** What a function is made of. */
export interface FunctionOptions {
  readonly vendor?: number;
  readonly device?: number;
  readonly revision?: number;
  readonly subsystem?: number;
  readonly capabilities?: readonly TestCapability[];
  /** Bytes by BAR; default: 64 of I/O in BAR 0, and 0x4000 in BAR 4. */
  readonly bars?: readonly number[];
  /** Answers by Promise, a turn later. */
  readonly later?: boolean;
}

/** The function. */
export class TestFunction implements PciBus {
  /** Register accesses, in the order in which they were made. */
  readonly log: Access[] = [];
  /** Configuration space offsets that were written. */
  readonly configWrites: number[] = [];
  readonly configReads: number[] = [];
  /** By name, for registers without a bank. */
  readonly values: Record<string, number> = { device_status: 0, config_generation: 0, isr_status: 0 };
  /** By selected queue or feature word. */
  readonly banks: Record<string, Record<number, number>> = {
    device_feature: { 0: 0x30000002, 1: 1 },
    driver_feature: {},
    queue_size: { 0: 256, 1: 8 },
    queue_notify_off: { 0: 0, 1: 3 },
    queue_enable: {},
    queue_msix_vector: {},
    queue_notif_config_data: { 0: 0x55, 1: 0xaaaa },
    queue_reset: {},
    queue_address: {},
  };
  /** Changes what a register keeps of a write. */
  keeps: (register: string, value: number) => number = (_, value) => value;
  /** The function is gone: every read answers all ones. */
  isGone = false;
  readonly config = new DataView(new ArrayBuffer(PCI_CONFIG_SIZE));
  private readonly later: boolean;
  private readonly bars: readonly number[];
  private accessAt: number | undefined;
  private structures: readonly TestCapability[] = [];
  private hasLegacyVectors = false;

  constructor(options: FunctionOptions = {}) {
    this.later = options.later ?? false;
    this.bars = options.bars ?? [64, 0, 0, 0, 0x4000, 0];
    this.config.setUint16(0, options.vendor ?? pci.VIRTIO_PCI_VENDOR_ID, true);
    this.config.setUint16(2, options.device ?? 0x1042, true);
    this.config.setUint8(8, options.revision ?? 1);
    this.config.setUint32(0x10, 0xc001, true);
    this.config.setUint16(0x2e, options.subsystem ?? 0x1100, true);
    this.lay(options.capabilities ?? [common, isr, device, notify, access]);
  }

  readConfig(offset: number, bytes: 1 | 2 | 4) {
    return this.answer(bytes, () => {
      this.configReads.push(offset);
      this.requireAligned(offset, bytes);
      if (this.accessAt !== undefined && offset === this.accessAt + pci.VIRTIO_PCI_CFG_CAP_DATA)
        return this.throughAccess(bytes, (bar, at) => this.readRegister(bar, at, bytes));
      if (bytes === 4) return this.config.getUint32(offset, true);
      return bytes === 2 ? this.config.getUint16(offset, true) : this.config.getUint8(offset);
    });
  }

  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number) {
    return this.answer(bytes, () => {
      this.configWrites.push(offset);
      this.requireAligned(offset, bytes);
      const inAccess = this.accessAt === undefined ? -1 : offset - this.accessAt;
      if (inAccess === pci.VIRTIO_PCI_CFG_CAP_DATA)
        this.throughAccess(bytes, (bar, at) => this.writeRegister(bar, at, bytes, value));
      else if (inAccess === pci.VIRTIO_PCI_CAP_BAR && bytes === 1) this.config.setUint8(offset, value);
      else if (inAccess === pci.VIRTIO_PCI_CAP_LENGTH && bytes === 4)
        this.config.setUint32(offset, value, true);
      else if (inAccess === pci.VIRTIO_PCI_CAP_OFFSET && bytes === 4) {
        const length = this.config.getUint32(offset + 4, true);
        if (value % length !== 0) throw new Error(`cap.offset ${value} is no multiple of ${length}`);
        this.config.setUint32(offset, value, true);
      } else throw new Error(`${bytes} bytes of the configuration space written at ${offset}`);
    });
  }

  barSize(bar: number) {
    return this.later ? Promise.resolve(this.bars[bar] ?? 0) : (this.bars[bar] ?? 0);
  }

  readBar(bar: number, offset: number, bytes: 1 | 2 | 4) {
    return this.answer(bytes, () => this.readRegister(bar, offset, bytes));
  }

  writeBar(bar: number, offset: number, bytes: 1 | 2 | 4, value: number) {
    return this.answer(bytes, () => this.writeRegister(bar, offset, bytes, value));
  }

  /** The log since the last call. */
  told(): Access[] {
    return this.log.splice(0);
  }

  private lay(capabilities: readonly TestCapability[]): void {
    const { config } = this;
    if (capabilities.length > 0) config.setUint16(6, PCI_STATUS_CAP_LIST, true);
    let at = capabilities[0]?.at ?? 0x40;
    config.setUint8(0x34, at);
    for (const [i, capability] of capabilities.entries()) {
      const { id = PCI_CAP_ID_VNDR, size = 16, type = 0, extra = 0 } = capability;
      const after = i + 1 < capabilities.length ? (capabilities[i + 1]?.at ?? at + ((size + 3) & 0xfc)) : 0;
      config.setUint8(at, id);
      config.setUint8(at + 1, capability.next ?? after);
      if (id === PCI_CAP_ID_MSIX) {
        config.setUint16(at + 2, extra, true);
        this.hasLegacyVectors = (extra & 0x8000) !== 0;
      } else {
        config.setUint8(at + 2, size);
        config.setUint8(at + 3, type);
        if (at + 16 <= config.byteLength) {
          config.setUint8(at + 4, capability.bar ?? 0);
          config.setUint32(at + 8, capability.offset ?? 0, true);
          config.setUint32(at + 12, capability.length ?? 0, true);
        }
        if (type === VIRTIO_PCI_CAP_NOTIFY_CFG && at + 20 <= config.byteLength)
          config.setUint32(at + 16, extra, true);
        if (type === pci.VIRTIO_PCI_CAP_PCI_CFG) this.accessAt ??= at;
      }
      at = after;
    }
    this.structures = capabilities.filter(({ id, type }) => id === undefined && type !== 5);
  }

  /** §4.1.4.9.2: only what another capability covers may be reached. */
  private throughAccess<T>(bytes: number, access: (bar: number, offset: number) => T): T {
    const at = this.accessAt ?? 0;
    const bar = this.config.getUint8(at + pci.VIRTIO_PCI_CAP_BAR);
    const offset = this.config.getUint32(at + pci.VIRTIO_PCI_CAP_OFFSET, true);
    const length = this.config.getUint32(at + pci.VIRTIO_PCI_CAP_LENGTH, true);
    const isCovered = this.structures.some(
      (one) =>
        one.bar === bar &&
        offset >= (one.offset ?? 0) &&
        offset + length <= (one.offset ?? 0) + (one.length ?? 0),
    );
    if (length !== bytes || !isCovered) throw new Error(`${bytes} bytes of ${length} at ${offset} in ${bar}`);
    return access(bar, offset);
  }

  private readRegister(bar: number, offset: number, bytes: number): number {
    const [name] = this.field(bar, offset, bytes);
    const bank = this.banks[name];
    const value = (bank === undefined ? this.values[name] : bank[this.selected(name)]) ?? 0;
    this.log.push(["read", name, value]);
    if (name === "isr_status") this.values[name] = 0;
    return value;
  }

  private writeRegister(bar: number, offset: number, bytes: number, value: number): void {
    const [name, , , how] = this.field(bar, offset, bytes);
    if (how === "r") throw new Error(`${name} was written`);
    if (value < 0 || value >= 256 ** bytes) throw new Error(`${value} written to ${name}`);
    this.log.push(["write", name, value]);
    const kept = this.keeps(name, value);
    const bank = this.banks[name];
    if (bank === undefined) this.values[name] = kept;
    else bank[this.selected(name)] = kept;
  }

  private selected(name: string): number {
    const selector = /^d.*_feature$/.test(name) ? `${name}_select` : "queue_select";
    return this.values[selector] ?? -1;
  }

  /** The field that is reached, if the access has its width. */
  private field(bar: number, offset: number, bytes: number): Field {
    this.requireAligned(offset, bytes, bar !== 0);
    if (bar === 0) return this.legacyField(offset, bytes);
    const structure = this.structures.find(
      (one) =>
        one.bar === bar && offset >= (one.offset ?? 0) && offset < (one.offset ?? 0) + (one.length ?? 0),
    );
    const at = offset - (structure?.offset ?? 0);
    if (structure?.type === VIRTIO_PCI_CAP_ISR_CFG && bytes === 1) return ["isr_status", at, 1, "r"];
    if (structure?.type === pci.VIRTIO_PCI_CAP_DEVICE_CFG) return [`config+${at}/${bytes}`, at, 1, "rw"];
    if (structure?.type === VIRTIO_PCI_CAP_NOTIFY_CFG) return [`notify+${at}/${bytes}`, at, 1, "rw"];
    const field =
      structure?.type === VIRTIO_PCI_CAP_COMMON_CFG ? COMMON.find(([, o]) => o === at) : undefined;
    if (field?.[2] === bytes) return field;
    throw new Error(`${bytes} bytes at ${offset} of BAR ${bar} are no field`);
  }

  private legacyField(offset: number, bytes: number): Field {
    const header = this.hasLegacyVectors ? [...LEGACY_HEADER, ...LEGACY_VECTORS] : LEGACY_HEADER;
    const end = this.hasLegacyVectors ? 24 : 20;
    if (offset >= end) return [`config+${offset - end}/${bytes}`, offset, 1, "rw"];
    const field = header.find(([, o]) => o === offset);
    if (field?.[2] === bytes) return field;
    throw new Error(`${bytes} bytes at ${offset} are no field of the legacy header`);
  }

  private requireAligned(offset: number, bytes: number, isWanted = true): void {
    if (isWanted && offset % bytes !== 0) throw new Error(`${bytes} bytes at ${offset} are not aligned`);
  }

  private answer<T>(bytes: number, access: () => T): T | Promise<T> {
    const now = (): T => (this.isGone ? ((256 ** bytes - 1) as T) : access());
    return this.later ? new Promise<void>((resolve) => setImmediate(resolve)).then(now) : now();
  }
}
