/**
 * A hostile driver of one of our devices on v86's bus: it writes rings by hand into guest RAM and registers through v86's
 * ports, and says what must have come of it. Whether the emulator runs a guest meanwhile is not its business.
 */
import { expect } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as pci from "../../src/spec/pci";
import { PCI_CAPABILITY_LIST } from "../../src/spec/pci-header";
import { PciPort } from "../../src/transport/pci-port";
import type { AttachedDevice, Attachment } from "../../src/v86";
import { type Areas, type RawMemory, RawPacked, RawSplit } from "../raw-ring";
import { avail, type Hand, put } from "../reliability/stage";
import { placeOf } from "../ring-steps";
import type { V86Function } from "./v86-ports";

export type Layout = "split" | "packed";

export const SIZE = 8;
export const AREAS: Areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
/** Guest RAM below the VGA's window in which the driver keeps its rings, tables and buffers. */
export const GROUND = { from: 0x1000, to: 0x30000 };
const LOW_RAM = 0x9f000;
const [FEATURES_OK, LIVE, NEEDS_RESET] = [0xb, 0xf, 0x40];

/** What the driver works on. */
export interface HostileParts {
  readonly bus: V86Function;
  /** Guest RAM. */
  readonly memory: RawMemory;
  readonly attachment: Attachment;
  readonly attached: AttachedDevice;
  /** Codes that the device's `onViolation` was given. */
  readonly violations: string[];
}

/** The driver. */
export class HostileDriver {
  readonly port: PciPort;
  readonly violations: string[];
  readonly attached: AttachedDevice;
  private readonly bus: V86Function;
  private readonly memory: RawMemory;
  private readonly attachment: Attachment;
  /** Violations before the device was set up. */
  private before = 0;

  private constructor(port: PciPort, { bus, memory, attachment, attached, violations }: HostileParts) {
    this.port = port;
    this.bus = bus;
    this.memory = memory;
    this.attachment = attachment;
    this.attached = attached;
    this.violations = violations;
  }

  static async open(parts: HostileParts): Promise<HostileDriver> {
    return new HostileDriver(await PciPort.open(parts.bus), parts);
  }

  get ramBytes(): number {
    return this.memory.source().length;
  }

  /** Forgets what was, and clears its ground. */
  begin(): void {
    this.violations.length = 0;
    this.memory.fill(GROUND.from, GROUND.to - GROUND.from, 0);
  }

  /** Leaves the device as a driver leaves it that goes: reset, and its line low. */
  async end(): Promise<void> {
    await this.port.writeStatus(0);
    await this.port.handleInterrupt();
  }

  async negotiate(layout: Layout, ring: readonly string[] = ["INDIRECT_DESC"]): Promise<void> {
    const { port } = this;
    const set = FeatureSet.of("VERSION_1", ...ring, ...(layout === "packed" ? ["RING_PACKED"] : []));
    for (const status of [0, 1, 3]) await port.writeStatus(status);
    for (const word of [0, 1]) await port.writeDriverFeatures(word, set.word(word));
    await port.writeStatus(FEATURES_OK);
    expect(await port.readStatus()).toBe(FEATURES_OK);
  }

  /** A device that works, and the hand for its ring. */
  async live(layout: Layout, ring?: readonly string[]): Promise<Hand> {
    const { port, memory } = this;
    await this.negotiate(layout, ring);
    await port.enableQueue(0, { size: SIZE, areas: AREAS });
    expect(await port.queueReady(0)).toBe(true);
    await port.writeStatus(LIVE);
    this.before = this.attached.counters.violations;
    const hand = {
      ...placeOf({ wrap: 1 }, layout, SIZE),
      layout,
      size: SIZE,
      split: new RawSplit(memory, SIZE, AREAS),
      packed: new RawPacked(memory, SIZE, AREAS),
    };
    for (let i = 0; i < SIZE && layout === "split"; i++)
      hand.split.desc(i, { addr: 0x8000 + 0x100 * i, len: 16 });
    return hand;
  }

  /** Notifies, and waits until the device has done what it does. */
  async served(): Promise<void> {
    await this.port.notify(0);
    await this.attachment.idle();
  }

  /** A good chain on a ring that nothing was done to yet is served. */
  async serves(hand: Hand): Promise<void> {
    if (hand.layout === "split") avail(hand, [0]);
    else put(hand, 0);
    const { chains } = this.attached.counters;
    await this.served();
    expect(this.attached.counters.chains).toBe(chains + 1);
    expect(await this.port.readStatus()).toBe(LIVE);
  }

  /** A good chain is served, from reset on. */
  async works(layout: Layout): Promise<void> {
    this.memory.fill(0x1000, 0x8000, 0);
    await this.serves(await this.live(layout));
  }

  /** The device needs a reset for one of these reasons, is silent until then and works after it. */
  async expectBroken(layout: Layout, codes: readonly string[]): Promise<void> {
    const { attached, memory } = this;
    expect(await this.port.readStatus()).toBe(LIVE | NEEDS_RESET);
    expect([attached.device.phase, attached.counters.violations - this.before]).toEqual(["needs-reset", 1]);
    expect(this.violations.some((code) => codes.includes(code))).toBe(true);
    const before = Buffer.from(memory.copy(0, LOW_RAM));
    await this.served();
    expect(Buffer.compare(Buffer.from(memory.copy(0, LOW_RAM)), before)).toBe(0);
    await this.works(layout);
  }

  /** Nothing that was breached since {@link begin} but these, and the device is as before. */
  async expectUnharmed(status: number, codes: readonly string[]): Promise<void> {
    expect(this.violations).toEqual(codes);
    expect(await this.port.readStatus()).toBe(status);
  }

  /** Writes anything to the notification structure, at queue 0's address. */
  notify(value: number): void {
    this.bus.writeBar(4, this.structure(pci.VIRTIO_PCI_CAP_NOTIFY_CFG), 2, value);
  }

  /** Programs and enables queue 0, whatever the values. */
  enable(size: number, areas: Areas): void {
    const common = this.structure(pci.VIRTIO_PCI_CAP_COMMON_CFG);
    const write = (at: number, bytes: 2 | 4, value: number) =>
      this.bus.writeBar(4, common + at, bytes, value);
    write(pci.VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
    write(pci.VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
    write(pci.VIRTIO_PCI_COMMON_Q_DESCLO, 4, areas.descriptor);
    write(pci.VIRTIO_PCI_COMMON_Q_AVAILLO, 4, areas.driver);
    write(pci.VIRTIO_PCI_COMMON_Q_USEDLO, 4, areas.device);
    write(pci.VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
  }

  /** Where a structure of §4.1.4 lies in BAR 4, by its capability. */
  private structure(type: number): number {
    const { bus } = this;
    for (let at = bus.readConfig(PCI_CAPABILITY_LIST, 1); at !== 0; at = bus.readConfig(at + 1, 1)) {
      if (bus.readConfig(at + pci.VIRTIO_PCI_CAP_CFG_TYPE, 1) === type)
        return bus.readConfig(at + pci.VIRTIO_PCI_CAP_OFFSET, 4);
    }
    throw new Error(`no structure ${type}`);
  }
}
