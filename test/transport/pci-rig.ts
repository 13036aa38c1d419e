/**
 * A device behind virtio-pci, and a driver by hand: it finds the structures by their capabilities, as drivers do, and
 * accesses fields by name, each in its width.
 */
import { expect } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as pci from "../../src/spec/pci";
import { PCI_CAP_ID_MSIX, PCI_CAP_ID_VNDR, PCI_CAPABILITY_LIST } from "../../src/spec/pci-header";
import { PciTransport } from "../../src/transport/pci";
import type { MsixMessage } from "../../src/transport/pci-msix";
import type { PciOptions } from "../../src/transport/pci-options";
import type { Areas } from "../raw-ring";
import { areasOf, DeviceBench, type DeviceBenchOptions, featuresOf, SPLIT_AREAS } from "./device-bench";

/** What a rig is made of. */
export interface PciRigOptions extends DeviceBenchOptions {
  readonly pci?: PciOptions;
  /** Has no MSI-X. */
  readonly intx?: boolean;
}

/** A capability of the list. */
export interface Capability {
  /** Offset in configuration space. */
  readonly at: number;
  readonly id: number;
  /** cap_len and cfg_type of a virtio capability. */
  readonly length: number;
  readonly type: number;
}

/** A structure that a capability describes. */
export interface Found {
  readonly bar: number;
  readonly offset: number;
  readonly length: number;
}

/** Fields of the common configuration: offset and width. */
export const COMMON = {
  device_feature_select: [pci.VIRTIO_PCI_COMMON_DFSELECT, 4],
  device_feature: [pci.VIRTIO_PCI_COMMON_DF, 4],
  driver_feature_select: [pci.VIRTIO_PCI_COMMON_GFSELECT, 4],
  driver_feature: [pci.VIRTIO_PCI_COMMON_GF, 4],
  config_msix_vector: [pci.VIRTIO_PCI_COMMON_MSIX, 2],
  num_queues: [pci.VIRTIO_PCI_COMMON_NUMQ, 2],
  device_status: [pci.VIRTIO_PCI_COMMON_STATUS, 1],
  config_generation: [pci.VIRTIO_PCI_COMMON_CFGGENERATION, 1],
  queue_select: [pci.VIRTIO_PCI_COMMON_Q_SELECT, 2],
  queue_size: [pci.VIRTIO_PCI_COMMON_Q_SIZE, 2],
  queue_msix_vector: [pci.VIRTIO_PCI_COMMON_Q_MSIX, 2],
  queue_enable: [pci.VIRTIO_PCI_COMMON_Q_ENABLE, 2],
  queue_notify_off: [pci.VIRTIO_PCI_COMMON_Q_NOFF, 2],
  queue_desc_lo: [pci.VIRTIO_PCI_COMMON_Q_DESCLO, 4],
  queue_desc_hi: [pci.VIRTIO_PCI_COMMON_Q_DESCHI, 4],
  queue_driver_lo: [pci.VIRTIO_PCI_COMMON_Q_AVAILLO, 4],
  queue_driver_hi: [pci.VIRTIO_PCI_COMMON_Q_AVAILHI, 4],
  queue_device_lo: [pci.VIRTIO_PCI_COMMON_Q_USEDLO, 4],
  queue_device_hi: [pci.VIRTIO_PCI_COMMON_Q_USEDHI, 4],
  queue_notif_config_data: [pci.VIRTIO_PCI_COMMON_Q_NDATA, 2],
  queue_reset: [pci.VIRTIO_PCI_COMMON_Q_RESET, 2],
  admin_queue_index: [pci.VIRTIO_PCI_COMMON_ADM_Q_IDX, 2],
  admin_queue_num: [pci.VIRTIO_PCI_COMMON_ADM_Q_NUM, 2],
} as const satisfies Record<string, readonly [at: number, bytes: 1 | 2 | 4]>;
export type CommonField = keyof typeof COMMON;

/** The two sides and what was heard of them. */
export class PciRig extends DeviceBench {
  readonly pci: PciTransport;
  /** Levels of INTA# as they came. */
  readonly levels: boolean[] = [];
  readonly messages: MsixMessage[] = [];
  private readonly structures = new Map<number, Found>();

  constructor(options: PciRigOptions = {}) {
    super({ ...options, model: { deviceId: 2, ...options.model } });
    this.pci = new PciTransport(this.device, {
      onInterrupt: (level) => this.levels.push(level),
      ...(options.intx ? {} : { onMessage: (message) => this.messages.push(message) }),
      ...options.pci,
    });
  }

  /** All capabilities, in the order of the list. */
  capabilities(): Capability[] {
    const found: Capability[] = [];
    const byte = (at: number) => this.pci.readConfig(at, 1);
    for (let at = byte(PCI_CAPABILITY_LIST); at !== 0 && found.length < 48; at = byte(at + 1))
      found.push({ at, id: byte(at), length: byte(at + 2), type: byte(at + 3) });
    return found;
  }

  /** The first virtio capability of a type. */
  capability(type: number): Capability {
    const found = this.capabilities().find((cap) => cap.id === PCI_CAP_ID_VNDR && cap.type === type);
    if (found === undefined) throw new Error(`no capability of type ${type}`);
    return found;
  }

  /** The MSI-X capability's offset in configuration space. */
  get msixAt(): number {
    const found = this.capabilities().find(({ id }) => id === PCI_CAP_ID_MSIX);
    if (found === undefined) throw new Error("no MSI-X capability");
    return found.at;
  }

  /** Where the structure of a type is; asked once, as drivers do. */
  structure(type: number): Found {
    const known = this.structures.get(type);
    if (known !== undefined) return known;
    const { at } = this.capability(type);
    const found = {
      bar: this.pci.readConfig(at + pci.VIRTIO_PCI_CAP_BAR, 1),
      offset: this.pci.readConfig(at + pci.VIRTIO_PCI_CAP_OFFSET, 4),
      length: this.pci.readConfig(at + pci.VIRTIO_PCI_CAP_LENGTH, 4),
    };
    this.structures.set(type, found);
    return found;
  }

  /** Reads `bytes` at `at` of a structure. */
  read(type: number, at: number, bytes: number): number {
    const { bar, offset } = this.structure(type);
    return this.pci.readBar(bar, offset + at, bytes);
  }

  write(type: number, at: number, value: number, bytes: number): void {
    const { bar, offset } = this.structure(type);
    this.pci.writeBar(bar, offset + at, value, bytes);
  }

  get(field: CommonField): number {
    const [at, bytes] = COMMON[field];
    return this.read(pci.VIRTIO_PCI_CAP_COMMON_CFG, at, bytes);
  }

  put(field: CommonField, value: number): void {
    const [at, bytes] = COMMON[field];
    this.write(pci.VIRTIO_PCI_CAP_COMMON_CFG, at, value, bytes);
  }

  /** Reads the ISR status, which clears it. */
  isr(): number {
    return this.read(pci.VIRTIO_PCI_CAP_ISR_CFG, 0, 1);
  }

  /** Through the status steps up to `status`, with these features accepted where that comes. */
  to(status: number, accepted: readonly string[] = ["VERSION_1"]): this {
    this.put("device_status", 0);
    for (const next of [0x01, 0x03, 0x0b, 0x0f]) {
      if (next > status) break;
      if (next === 0x0b) this.accept(FeatureSet.from(accepted));
      this.put("device_status", next);
      expect(this.get("device_status")).toBe(next);
    }
    return this;
  }

  /** Two words, as most drivers do, and the others if there is something in them: some devices have but two. */
  accept({ words }: FeatureSet): void {
    words.forEach((word, index) => {
      if (index > 1 && word === 0) return;
      this.put("driver_feature_select", index);
      this.put("driver_feature", word);
    });
  }

  /** Size and addresses of a queue, not queue_enable. */
  program(index: number, size: number, areas: { [Name in keyof Areas]: number | bigint }): void {
    this.put("queue_select", index);
    this.put("queue_size", size);
    for (const name of ["descriptor", "driver", "device"] as const) {
      const field = name === "descriptor" ? "queue_desc" : (`queue_${name}` as const);
      this.put(`${field}_lo`, Number(BigInt(areas[name]) & 0xffff_ffffn));
      this.put(`${field}_hi`, Number(BigInt(areas[name]) >> 32n));
    }
  }

  /** Programs a queue and enables it. */
  setUp(index = 0, size = 8, areas: { [Name in keyof Areas]: number | bigint } = SPLIT_AREAS): void {
    this.program(index, size, areas);
    this.put("queue_enable", 1);
  }

  /** A live device with queue 0 of 8 enabled. */
  live(layout: "split" | "packed" = "split", more: readonly string[] = []): this {
    this.to(0x0b, [...featuresOf(layout), ...more]);
    this.setUp(0, 8, areasOf(layout));
    this.put("device_status", 0x0f);
    expect([this.get("queue_enable"), this.codes()]).toEqual([1, []]);
    this.serve(); // at DRIVER_OK a device looks at its queues without being notified
    return this;
  }

  /** Where a queue is notified, from the start of the notification structure. */
  notifyAt(index: number): number {
    const selected = this.get("queue_select");
    this.put("queue_select", index);
    const off = this.get("queue_notify_off");
    this.put("queue_select", selected);
    const { at } = this.capability(pci.VIRTIO_PCI_CAP_NOTIFY_CFG);
    return off * this.pci.readConfig(at + pci.VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
  }

  /** Notifies a queue, by its index unless another value is given, 16 bits unless told otherwise. */
  kick(index = 0, value = index, bytes = 2): void {
    this.write(pci.VIRTIO_PCI_CAP_NOTIFY_CFG, this.notifyAt(index), value, bytes);
  }

  /** Programs a vector's message and takes its mask away. */
  unmask(vector: number, address = 0xfee0_0000 + vector * 16, data = 0x40 + vector): void {
    const at = 16 * vector;
    for (const [word, value] of [address, 0, data, 0].entries())
      this.pci.writeBar(1, at + 4 * word, value, 4);
  }

  /** MSI-X's Message Control: enabled, and masked as a whole. */
  enableMsix(isEnabled = true, isMasked = false): void {
    const at = this.msixAt + 2;
    const control = this.pci.readConfig(at, 2) & 0x3fff;
    this.pci.writeConfig(at, control | (isEnabled ? 0x8000 : 0) | (isMasked ? 0x4000 : 0), 2);
  }
}
