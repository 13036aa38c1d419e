/**
 * Random accesses to a virtio-pci function, as programs of a seed: any BAR and configuration space, any offset, width and
 * value, sensible sequences in between so that every status is reached, and resets that take their time. For npm test
 * and for test/slow.
 */
import { expect } from "vitest";
import { VIRTIO_PCI_CAP_PCI_CFG, VIRTIO_PCI_COMMON_STATUS, VIRTIO_PCI_STATUS } from "../../src/spec/pci";
import { PCI_COMMAND_INTX_DISABLE, PCI_STATUS, PCI_STATUS_INTERRUPT } from "../../src/spec/pci-header";
import type { PciImage } from "../../src/transport/pci-image";
import type { PciOptions } from "../../src/transport/pci-options";
import { Random } from "../property/random";
import { COMMON, PciRig } from "./pci-rig";
import {
  type Coverage,
  count,
  dirtyTable,
  freshCoverage,
  ODD_OFFSETS,
  randomStatus,
  randomValue,
  SlowModel,
  settle,
  VALUES,
  WIDTHS,
} from "./random-driver";

const AREAS = { descriptor: 0x1000, driver: 0x1080, device: 0x2000 };
const LEGACY_AREAS = { descriptor: 0x4000, driver: 0x5000, device: 0x6000 };
/** Field offsets and widths of the common configuration, and of the legacy window. */
const COMMON_FIELDS: readonly (readonly [at: number, bytes: number])[] = Object.values(COMMON);
const LEGACY_FIELDS = [
  [0, 4],
  [4, 4],
  [8, 4],
  [12, 2],
  [14, 2],
  [16, 2],
  [18, 1],
  [19, 1],
  [20, 2],
  [22, 2],
  [28, 4],
] as const;
const CONFIG_OFFSETS = [0x00, 0x04, 0x06, 0x10, 0x14, 0x20, 0x24, 0x3c];

/** One program: a function, how it is used, and what has to hold of it. */
class Program {
  private readonly random: Random;
  private readonly met: Coverage;
  private readonly rig: PciRig;
  private readonly model: SlowModel;
  private readonly isTransitional: boolean;
  private readonly layout: "split" | "packed";
  private readonly make: () => PciRig;
  private readonly windowAt: number;
  /** Messages that came while MSI-X was not enabled. */
  private stray = 0;

  constructor(random: Random, met: Coverage) {
    this.random = random;
    this.met = met;
    this.isTransitional = random.oneIn(3);
    this.layout = random.oneIn(2) ? "split" : "packed";
    const profile = this.isTransitional ? "transitional" : random.pick(["strict", "transitional", "qemu"]);
    const structures = { kind: random.oneIn(3) ? "io" : "memory" } as const;
    const intx = random.oneIn(3);
    const options: PciOptions = {
      transitional: this.isTransitional,
      structures,
      notifyOffMultiplier: random.pick([0, 4, 64]),
      sharedMemory: random.oneIn(2) ? [{ id: 1, base: 0, length: 0x1000 }] : [],
    };
    this.make = () =>
      new PciRig({ makeModel: () => new SlowModel(random, 2), device: { profile }, intx, pci: options });
    this.model = new SlowModel(random, 2);
    const onMessage = () => {
      if ((this.rig.pci.readConfig(this.rig.msixAt + 2, 2) & 0x8000) === 0) this.stray++;
    };
    const pci = { ...options, ...(intx ? {} : { onMessage }) };
    this.rig = new PciRig({ makeModel: () => this.model, device: { profile }, intx, pci });
    this.windowAt = this.rig.capability(VIRTIO_PCI_CAP_PCI_CFG).at;
  }

  async run(): Promise<void> {
    const { random, rig, model } = this;
    for (let round = 0; round < 25; round++) {
      if (random.oneIn(3)) {
        model.isSlow = random.oneIn(4);
        if (this.isTransitional && random.oneIn(2)) this.climbLegacy();
        else this.climb();
        model.isSlow = true;
      }
      for (let i = random.below(80); i >= 0; i--) this.access();
      while (random.oneIn(2)) rig.device.process(8);
      if (random.oneIn(4)) rig.device.configChanged();
      if (random.oneIn(3)) await settle(rig);
      if (random.oneIn(40)) rig.pci.reset();
      if (round % 8 === 7) rig.expectCanary();
      this.expectLine("between accesses");
    }
    if (random.oneIn(4)) await this.moveTo(this.make());
    await this.expectLife();
    this.met.chains += model.taken.length;
  }

  /** What a driver does on purpose: some status steps, a queue, a few buffers. */
  private climb(): void {
    const { rig, random, layout } = this;
    rig.put("device_status", 0);
    for (const status of [1, 3]) rig.put("device_status", status);
    const more = (random.oneIn(2) ? 0x100 : 0) | (random.oneIn(2) ? 0x800 : 0) | (random.oneIn(4) ? 0x40 : 0);
    for (const [word, bits] of [0, (layout === "split" ? 0x1 : 0x5) | more].entries()) {
      rig.put("driver_feature_select", word);
      rig.put("driver_feature", bits);
    }
    rig.put("device_status", 0x0b);
    rig.memory.fill(0x1000, 0x2000, 0);
    if (random.oneIn(3)) {
      const [descriptor, driver, device] = [random.pick(VALUES), random.pick(VALUES), random.pick(VALUES)];
      rig.setUp(random.below(3), random.pick(VALUES), { descriptor, driver, device });
    }
    rig.setUp(0, 8, AREAS);
    if (random.oneIn(2)) rig.put("queue_msix_vector", random.below(4));
    if (random.oneIn(2)) rig.put("config_msix_vector", random.below(4));
    rig.offer(layout, random.below(9), 8, AREAS);
    if (random.oneIn(4)) dirtyTable(rig, random);
    if (random.oneIn(4)) return;
    rig.put("device_status", 0x0f);
    rig.kick(0, 0, (more & 0x40) === 0 ? 2 : 4);
  }

  private climbLegacy(): void {
    const { rig, random } = this;
    const put = (at: number, value: number, bytes: number) => rig.pci.writeBar(0, at, value, bytes);
    for (const status of [0, 1, 3]) put(18, status, 1);
    put(4, random.oneIn(2) ? 0x2000_0000 : 0, 4);
    put(14, 0, 2);
    rig.memory.fill(0x4000, 0x3000, 0);
    put(8, 4, 4);
    rig.offer("split", random.below(9), 256, LEGACY_AREAS);
    put(18, 7, 1);
    put(16, 0, 2);
  }

  private access(): void {
    const { rig, random } = this;
    rig.violations.length = 0;
    const { phase } = rig.device;
    const says = random.oneIn(3) ? this.configAccess() : this.barAccess();
    if (this.stray > 0) throw new Error(says("a message without MSI-X"));
    this.expectLine(says("the line"));
    count(this.met, phase, rig.violations, says);
  }

  /** @returns what a complaint about it begins with */
  private barAccess(): (what: string) => string {
    const { rig, random } = this;
    const { bar, offset, bytes, isStatus } = this.randomPlace();
    const { status } = rig.device;
    const isRead = random.oneIn(2);
    const value = isStatus ? randomStatus(random) : randomValue(random);
    const says = (what: string) =>
      `${isRead ? "read" : "write"} of ${bytes} at ${offset} of BAR ${bar}, ${rig.device.phase}: ${what}`;
    const breach = breachOf(offset, bytes);
    if (isRead) {
      const read = rig.pci.readBar(bar, offset, bytes);
      if (breach !== undefined && read !== 0) throw new Error(says(`${read}`));
      if (breach === undefined && !(Number.isInteger(read) && read >= 0 && read < 2 ** (8 * bytes)))
        throw new Error(says(`${read} is too wide`));
      if (rig.device.status !== status) throw new Error(says("the status changed"));
    } else {
      rig.pci.writeBar(bar, offset, value, bytes);
      if (breach !== undefined && rig.device.status !== status) throw new Error(says("the status changed"));
    }
    if (breach !== undefined && rig.violations.map(({ code }) => code).join() !== breach)
      throw new Error(says(breach));
    if (random.oneIn(16)) this.expectFields(says);
    return says;
  }

  private configAccess(): (what: string) => string {
    const { rig, random, windowAt } = this;
    const offset = random.oneIn(12)
      ? random.pick(ODD_OFFSETS)
      : random.oneIn(3)
        ? random.below(260)
        : random.oneIn(2)
          ? random.pick(CONFIG_OFFSETS)
          : windowAt + 4 * random.between(1, 4);
    const bytes = random.oneIn(8) ? random.pick(WIDTHS) : random.pick([1, 2, 4]);
    const says = (what: string) => `configuration space, ${bytes} at ${offset}, ${rig.device.phase}: ${what}`;
    if (random.oneIn(3)) this.aimWindow();
    if (random.oneIn(2)) {
      const read = rig.pci.readConfig(offset, bytes);
      const isOne = Number.isInteger(read) && read >= 0 && (read === 0 || read < 2 ** (8 * bytes));
      if (!isOne) throw new Error(says(`${read}`));
    } else rig.pci.writeConfig(offset, randomValue(random), bytes);
    return says;
  }

  /** Points the window of §4.1.4.9 at a field, or nowhere. */
  private aimWindow(): void {
    const { rig, random, windowAt } = this;
    const { bar, offset, bytes } = this.randomPlace();
    rig.pci.writeConfig(windowAt + 4, bar, 1);
    rig.pci.writeConfig(windowAt + 8, offset, 4);
    rig.pci.writeConfig(windowAt + 12, random.oneIn(8) ? random.pick(VALUES) : bytes, 4);
  }

  private randomPlace(): { bar: number; offset: number; bytes: number; isStatus: boolean } {
    const { random, rig, isTransitional } = this;
    const isLegacy = isTransitional && random.oneIn(3);
    const { bar, offset: start } = isLegacy
      ? { bar: 0, offset: 0 }
      : rig.structure(random.pick([1, 1, 1, 2, 3, 4]));
    const [at, width] = isLegacy
      ? random.pick(LEGACY_FIELDS)
      : random.oneIn(2)
        ? random.pick(COMMON_FIELDS)
        : [4 * random.below(8), random.pick([1, 2, 4])];
    const isStatus = at === (isLegacy ? VIRTIO_PCI_STATUS : VIRTIO_PCI_COMMON_STATUS);
    const bytes = random.oneIn(12) ? random.pick(WIDTHS) : random.oneIn(8) ? random.pick([1, 2, 4]) : width;
    if (random.oneIn(20)) return { bar, offset: random.pick(ODD_OFFSETS), bytes, isStatus: false };
    if (random.oneIn(12))
      return { bar: random.below(7), offset: random.below(0x4010), bytes, isStatus: false };
    return { bar, offset: start + at, bytes, isStatus };
  }

  /** §4.1.4.5.1: status and line follow the ISR bits, and whoever drives the line was told so last. */
  private expectLine(says: string): void {
    const { pci, levels } = this.rig;
    const isPending = (pci.readConfig(0x06, 2) & PCI_STATUS_INTERRUPT) !== 0;
    const isMasked = (pci.readConfig(0x04, 2) & PCI_COMMAND_INTX_DISABLE) !== 0;
    if (pci.interruptLevel !== (isPending && !isMasked) || pci.interruptLevel !== (levels.at(-1) ?? false))
      throw new Error(`${says}: the line is ${pci.interruptLevel}, pending ${isPending}, masked ${isMasked}`);
  }

  /** What holds of the common configuration at any time. */
  private expectFields(says: (what: string) => string): void {
    const { rig } = this;
    const size = rig.get("queue_size");
    const isPacked = rig.device.ring?.layout === "packed";
    if (!isPacked && (size & (size - 1)) !== 0) throw new Error(says(`queue_size ${size}`));
    if (size > 256 || rig.get("queue_enable") > 1 || rig.get("queue_reset") !== 0)
      throw new Error(says("queue"));
    if (rig.get("device_status") !== rig.device.status) throw new Error(says("device_status"));
    const isr = rig.isr();
    if ((isr & ~3) !== 0 || rig.isr() !== 0) throw new Error(says(`ISR status ${isr}`));
  }

  /** Any state that a driver can wait for moves to a fresh function; what the device then notifies of comes on top. */
  private async moveTo(other: PciRig): Promise<void> {
    const { rig } = this;
    await settle(rig);
    if (!rig.device.canSave) return;
    const image = rig.pci.save();
    other.memory.write(0, rig.memory.source());
    other.pci.restore(JSON.stringify(image));
    const now = other.pci.save();
    expect(lasting(now)).toEqual(lasting(image));
    expect(now.isr & image.isr).toBe(image.isr);
    expect(now.pending).toEqual(expect.arrayContaining([...image.pending]));
    expect(now.device.status).toBe(image.device.status);
    this.met.moves++;
  }

  /** A reset always leads back to a device that works. */
  private async expectLife(): Promise<void> {
    const { rig, model, random, layout } = this;
    if (random.oneIn(2)) rig.pci.reset();
    else rig.put("device_status", 0);
    await settle(rig);
    expect([rig.get("device_status"), rig.isr(), rig.pci.interruptLevel]).toEqual([0, 0, false]);
    model.isSlow = false;
    rig.memory.fill(0x1000, 0x3000, 0);
    rig.violations.length = 0;
    rig.live(layout);
    rig.offer(layout, 8);
    rig.kick();
    rig.serve();
    expect([rig.used(layout, 8), rig.codes()]).toEqual([true, []]);
    rig.expectCanary();
  }
}

/** Runs programs until `accesses` accesses were made. */
export async function runPci(seed: number, accesses: number): Promise<Coverage> {
  const met = freshCoverage();
  while (met.accesses < accesses) {
    await new Program(new Random(seed, met.programs), met).run();
    met.programs++;
  }
  return met;
}

function breachOf(offset: number, bytes: number): string | undefined {
  if (bytes !== 1 && bytes !== 2 && bytes !== 4) return "PCI_WIDTH";
  return Number.isSafeInteger(offset) && offset >= 0 ? undefined : "PCI_ALIGN";
}

/** What a notification doesn't change; the interrupt bit of the PCI status is one of the things that it does. */
function lasting({ queues, table, queueSelect, configVector, config }: PciImage) {
  const bytes = config.map((byte, at) => (at === PCI_STATUS ? byte & ~PCI_STATUS_INTERRUPT : byte));
  return { queues, table, queueSelect, configVector, bytes };
}
