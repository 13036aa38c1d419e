/**
 * Random accesses to a virtio-mmio window, as programs of a seed: any offset, width and value, sensible sequences in
 * between so that every status is reached, and resets that take their time. For npm test and for test/slow.
 */
import { expect } from "vitest";
import * as mmio from "../../src/spec/mmio";
import { Random } from "../property/random";
import { MmioRig } from "./mmio-rig";
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

const OFFSETS: readonly number[] = Object.entries(mmio).flatMap(([name, at]) =>
  at <= mmio.VIRTIO_MMIO_CONFIG && at % 4 === 0 && !name.endsWith("_MAGIC") ? [at] : [],
);
const READ_ONLY = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x34, 0x60];
const MODERN_READ_ONLY = [...READ_ONLY, 0xb0, 0xb4, 0xb8, 0xbc, 0xfc];

/** Runs programs until `accesses` accesses were made. */
export async function runMmio(seed: number, accesses: number): Promise<Coverage> {
  const met = freshCoverage();
  while (met.accesses < accesses) {
    await runProgram(new Random(seed, met.programs), met);
    met.programs++;
  }
  return met;
}

async function runProgram(random: Random, met: Coverage): Promise<void> {
  const model = new SlowModel(random);
  const version = random.oneIn(4) ? 1 : 2;
  const profile = version === 1 ? "transitional" : random.pick(["strict", "transitional", "qemu"]);
  const rig = new MmioRig({ makeModel: () => model, device: { profile }, mmio: { version } });
  const layout = random.oneIn(2) || version === 1 ? "split" : "packed";
  const access = () => randomAccess(rig, random, met, version);
  for (let round = 0; round < 25; round++) {
    if (random.oneIn(3)) {
      model.isSlow = random.oneIn(4);
      climb(rig, random, layout, version);
      model.isSlow = true;
    }
    for (let i = random.below(80); i >= 0; i--) access();
    while (random.oneIn(2)) rig.device.process(8);
    if (random.oneIn(4)) rig.device.configChanged();
    if (random.oneIn(3)) await settle(rig);
    if (round % 8 === 7) rig.expectCanary();
  }
  // A reset always leads back to a device that works.
  rig.put(mmio.VIRTIO_MMIO_STATUS, 0);
  await settle(rig);
  expect([rig.get(mmio.VIRTIO_MMIO_STATUS), rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)]).toEqual([0, 0]);
  rig.expectCanary();
  met.chains += model.taken.length;
}

/** What a driver does on purpose: some status steps, a queue, a few buffers. */
function climb(rig: MmioRig, random: Random, layout: "split" | "packed", version: 1 | 2): void {
  rig.put(mmio.VIRTIO_MMIO_STATUS, 0);
  for (const status of [1, 3]) rig.put(mmio.VIRTIO_MMIO_STATUS, status);
  const isModern = version === 2;
  for (const [word, bits] of [
    [0, 0],
    [
      1,
      isModern
        ? (layout === "split" ? 0x1 : 0x5) | (random.oneIn(2) ? 0x100 : 0) | (random.oneIn(2) ? 0x800 : 0)
        : 0,
    ],
  ] as const) {
    rig.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
    rig.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES, bits);
  }
  if (isModern) rig.put(mmio.VIRTIO_MMIO_STATUS, 0x0b);
  const areas = { descriptor: 0x1000, driver: 0x1080, device: 0x2000 };
  rig.memory.fill(0x1000, 0x2000, 0);
  if (isModern && random.oneIn(3)) {
    const [descriptor, driver, device] = [random.pick(VALUES), random.pick(VALUES), random.pick(VALUES)];
    rig.setUp(random.below(3), random.pick(VALUES), { descriptor, driver, device });
  }
  if (isModern) rig.setUp(0, 8, areas);
  else {
    for (const [at, value] of [
      [mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096],
      [mmio.VIRTIO_MMIO_QUEUE_SEL, 0],
      [mmio.VIRTIO_MMIO_QUEUE_SIZE, 8],
      [mmio.VIRTIO_MMIO_QUEUE_ALIGN, 4096],
      [mmio.VIRTIO_MMIO_QUEUE_PFN, 1],
    ] as const)
      rig.put(at, value);
  }
  rig.offer(layout, random.below(9), 8, areas);
  if (random.oneIn(4)) dirtyTable(rig, random);
  if (random.oneIn(4)) return;
  rig.put(mmio.VIRTIO_MMIO_STATUS, isModern ? 0x0f : 0x07);
  rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

function randomAccess(rig: MmioRig, random: Random, met: Coverage, version: 1 | 2): void {
  const offset = randomOffset(random);
  const bytes = random.oneIn(8) ? random.pick(WIDTHS) : offset > 0x100 ? random.pick([1, 2, 4]) : 4;
  const { phase, status } = rig.device;
  const line = rig.mmio.interruptLevel;
  const breach = breachOf(offset, bytes);
  rig.violations.length = 0;
  const isRead = random.oneIn(2);
  const says = (what: string) => `${isRead ? "read" : "write"} of ${bytes} at ${offset}, ${phase}: ${what}`;
  if (isRead) {
    const value = rig.mmio.read(offset, bytes);
    if (!mayRead(rig, offset, bytes, value, version)) throw new Error(says(`${value}`));
    if (rig.mmio.interruptLevel !== line) throw new Error(says("the line changed"));
  } else {
    rig.mmio.write(offset, valueFor(random, offset), bytes);
    const isReadOnly = bytes === 4 && (version === 1 ? READ_ONLY : MODERN_READ_ONLY).includes(offset);
    const isToldSo = rig.violations.some(({ code }) => code === "MMIO_READONLY");
    if (isToldSo !== isReadOnly) throw new Error(says("MMIO_READONLY"));
    if (breach !== undefined && rig.device.status !== status) throw new Error(says("the status changed"));
  }
  if (breach !== undefined && rig.violations.map(({ code }) => code).join() !== breach)
    throw new Error(says(breach));
  count(met, phase, rig.violations, says);
  // §4.2.3.4: the line is high while a bit is set, and whoever drives it was told so last.
  if (rig.mmio.interruptLevel !== (rig.levels.at(-1) ?? false))
    throw new Error(says("the line's last change"));
}

/** Whether the section allows such an answer, where that doesn't hang on what happened before. */
function mayRead(rig: MmioRig, offset: number, bytes: number, value: number, version: 1 | 2): boolean {
  if (breachOf(offset, bytes) !== undefined) return value === 0;
  if (value >>> 0 !== value) return false;
  if (offset >= 0x100) return value < 2 ** (8 * bytes);
  switch (offset) {
    case mmio.VIRTIO_MMIO_MAGIC_VALUE:
      return value === 0x74726976;
    case mmio.VIRTIO_MMIO_VERSION:
      return value === version;
    case mmio.VIRTIO_MMIO_STATUS:
      return value === rig.device.status;
    case mmio.VIRTIO_MMIO_INTERRUPT_STATUS:
      return (value & ~3) === 0 && (value !== 0) === rig.mmio.interruptLevel;
    case mmio.VIRTIO_MMIO_QUEUE_READY:
      return value <= (version === 1 ? 0 : 1);
    case mmio.VIRTIO_MMIO_QUEUE_RESET:
      return value === 0;
    default:
      return OFFSETS.includes(offset) || value === 0;
  }
}

function breachOf(offset: number, bytes: number): string | undefined {
  const isConfig = !(offset < 0x100);
  if (!(bytes === 4 || (isConfig && (bytes === 1 || bytes === 2)))) return "MMIO_WIDTH";
  return Number.isSafeInteger(offset) && offset >= 0 && offset % bytes === 0 ? undefined : "MMIO_ALIGN";
}

function randomOffset(random: Random): number {
  if (random.oneIn(20)) return random.pick(ODD_OFFSETS);
  if (random.oneIn(10)) return 0x100 + random.below(20);
  return random.oneIn(6) ? random.below(0x104) : random.pick(OFFSETS);
}

function valueFor(random: Random, offset: number): number {
  return offset === mmio.VIRTIO_MMIO_STATUS ? randomStatus(random) : randomValue(random);
}
