/**
 * A hostile guest against our devices on v86's bus: rings of the corpus and registers against every rule. The emulator lives
 * on, the device says what it needs, and nothing of v86's memory changes but guest RAM.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as pci from "../../src/spec/pci";
import { PCI_CAPABILITY_LIST } from "../../src/spec/pci-header";
import { PciPort } from "../../src/transport/pci-port";
import { type Areas, RawPacked, RawSplit } from "../raw-ring";
import { corpusCase, titleOf } from "../reliability/corpus";
import { HOSTILE_DRIVERS } from "../reliability/hostile-drivers";
import { avail, type Hand, put } from "../reliability/stage";
import { placeOf } from "../ring-steps";
import { echo } from "../transport/port-pair";
import { Attached } from "./v86-attached";

const SIZE = 8;
const AREAS: Areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
const NEXT = 1;
const [FEATURES_OK, LIVE, NEEDS_RESET] = [0xb, 0xf, 0x40];

type Layout = "split" | "packed";
const LAYOUTS: readonly Layout[] = ["split", "packed"];
/** Cases of the corpus that end where its guest RAM does, and those whose chains a device would have to hold. */
const ELSEWHERE = ["D011", "D013", "D031", "D032", "D063"];

const violations: string[] = [];
let rig: Attached;
let port: PciPort;
let outside: Buffer;
/** The memory that v86 had before anything of ours was in it. */
let bytes: number;

beforeEach(async () => {
  rig = await Attached.start(
    [{ model: echo(), onViolation: ({ code }) => violations.push(code) }],
    {},
    ({ cpu }) => {
      bytes = cpu.wasm_memory.buffer.byteLength;
      // What v86 itself does about interrupts and compiled code is in its memory, too.
      cpu.devices.pci.raise_irq = () => {};
      cpu.devices.pci.lower_irq = () => {};
      cpu.jit_dirty_cache = () => {};
    },
  );
  violations.length = 0;
  port = await PciPort.open(rig.bus(0));
  rig.machine.memory.fill(0x1000, 0x9f000 - 0x1000, 0);
  outside = notRam();
});

afterEach(async () => {
  expect(Buffer.compare(notRam(), outside)).toBe(0);
  await rig.stop();
});

/** v86's memory without guest RAM; the VGA's window counts as memory of v86's. */
function notRam(): Buffer {
  const { cpu } = rig.machine;
  const copy = Buffer.from(new Uint8Array(cpu.wasm_memory.buffer, 0, bytes));
  const base = cpu.mem8.byteOffset;
  copy.fill(0, base, base + 0xa0000);
  copy.fill(0, base + 0xc0000, base + (cpu.memory_size[0] ?? 0));
  return copy;
}

async function negotiate(layout: Layout, ring = ["INDIRECT_DESC"]): Promise<void> {
  const set = FeatureSet.of("VERSION_1", ...ring, ...(layout === "packed" ? ["RING_PACKED"] : []));
  for (const status of [0, 1, 3]) await port.writeStatus(status);
  for (const word of [0, 1]) await port.writeDriverFeatures(word, set.word(word));
  await port.writeStatus(FEATURES_OK);
  expect(await port.readStatus()).toBe(FEATURES_OK);
}

async function live(layout: Layout, ring?: string[]): Promise<Hand> {
  await negotiate(layout, ring);
  await port.enableQueue(0, { size: SIZE, areas: AREAS });
  expect(await port.queueReady(0)).toBe(true);
  await port.writeStatus(LIVE);
  const { memory } = rig.machine;
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

async function served(): Promise<void> {
  await port.notify(0);
  await rig.attachment.idle();
}

/** A good chain is served, from reset on. */
async function works(layout: Layout): Promise<void> {
  rig.machine.memory.fill(0x1000, 0x8000, 0);
  const hand = await live(layout);
  if (layout === "split") avail(hand, [0]);
  else put(hand, 0);
  const { chains } = rig.device(0).counters;
  await served();
  expect(rig.device(0).counters.chains).toBe(chains + 1);
  expect(await port.readStatus()).toBe(LIVE);
}

/** The device needs a reset for this reason, is silent until then and works after it. */
async function expectBroken(layout: Layout, codes: readonly string[]): Promise<void> {
  expect(await port.readStatus()).toBe(LIVE | NEEDS_RESET);
  const { device } = rig.device(0);
  expect([device.phase, device.counters.violations]).toEqual(["needs-reset", 1]);
  expect(violations.some((code) => codes.includes(code))).toBe(true);
  const before = Buffer.from(rig.machine.memory.copy(0, 0x9f000));
  await served();
  expect(Buffer.compare(Buffer.from(rig.machine.memory.copy(0, 0x9f000)), before)).toBe(0);
  await works(layout);
}

/** Where a structure of §4.1.4 lies in BAR 4, by its capability. */
function structure(type: number): number {
  const bus = rig.bus(0);
  for (let at = bus.readConfig(PCI_CAPABILITY_LIST, 1); at !== 0; at = bus.readConfig(at + 1, 1)) {
    if (bus.readConfig(at + pci.VIRTIO_PCI_CAP_CFG_TYPE, 1) === type)
      return bus.readConfig(at + pci.VIRTIO_PCI_CAP_OFFSET, 4);
  }
  throw new Error(`no structure ${type}`);
}

/** Programs and enables queue 0, whatever the values. */
function enable(size: number, areas: Areas): void {
  const common = structure(pci.VIRTIO_PCI_CAP_COMMON_CFG);
  const write = (at: number, bytes: 2 | 4, value: number) =>
    rig.bus(0).writeBar(4, common + at, bytes, value);
  write(pci.VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
  write(pci.VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
  write(pci.VIRTIO_PCI_COMMON_Q_DESCLO, 4, areas.descriptor);
  write(pci.VIRTIO_PCI_COMMON_Q_AVAILLO, 4, areas.driver);
  write(pci.VIRTIO_PCI_COMMON_Q_USEDLO, 4, areas.device);
  write(pci.VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

describe("a driver whose ring breaks a rule", () => {
  const cases = Object.entries(HOSTILE_DRIVERS).filter(([id]) => !ELSEWHERE.includes(id));
  it.each(cases.map(([id, hostile]) => [titleOf(id), id, hostile] as const))("%s", async (_, id, hostile) => {
    const { layout, expected, setup } = corpusCase(id);
    for (const of of LAYOUTS.filter((one) => layout === "both" || layout === one)) {
      hostile.poke(await live(of, /^[SP]8N/.test(setup) ? [] : undefined));
      await served();
      await expectBroken(of, expected.error);
    }
  });

  const at = (addr: number, len: number) => (hand: Hand) => {
    if (hand.layout === "packed") return put(hand, 0, { addr, len });
    hand.split.desc(0, { addr, len });
    return avail(hand, [0]);
  };
  const OUTSIDE: [string, number, number][] = [
    ["into the VGA's window", 0x9fff1, 16],
    ["in the VGA's window", 0xa0000, 16],
    ["at the VGA's window's end", 0xbffff, 16],
    ["behind RAM", 0x200000, 1],
    ["over the end of RAM", 0x1ffff1, 16],
    ["over all of RAM", 0, 0xfffffff0],
    ["over half of the address space", 0x1000, 0x7fffffff],
  ];
  it.each(
    OUTSIDE.flatMap(([name, addr, len]) => LAYOUTS.map((layout) => [name, layout, addr, len] as const)),
  )("a buffer %s, %s", async (_, layout, addr, len) => {
    at(addr, len)(await live(layout));
    await served();
    await expectBroken(layout, ["DESC_OUT_OF_GUEST", "DESC_ADDR_OVERFLOW"]);
  });

  it("an index 50000 ahead", async () => {
    const hand = await live("split");
    hand.split.availIdx = 50_000;
    await served();
    await expectBroken("split", ["RING_INDEX_JUMP"]);
  });

  it("a packed list that goes round", async () => {
    const hand = await live("packed");
    for (let i = 0; i < SIZE; i++) put(hand, i, { flags: NEXT });
    await served();
    await expectBroken("packed", ["CHAIN_TOO_LONG"]);
  });
});

describe.each(LAYOUTS)("a driver against the rules of the registers, %s", (layout) => {
  it("PCI §4.1.4.4 driver: notifies a queue that isn't there", async () => {
    await live(layout);
    const notify = structure(pci.VIRTIO_PCI_CAP_NOTIFY_CFG);
    for (const value of [1, 99, 0xffff]) rig.bus(0).writeBar(4, notify, 2, value);
    await rig.attachment.idle();
    expect(violations).toEqual(new Array(3).fill("QUEUE_INDEX_RANGE"));
    expect(await port.readStatus()).toBe(LIVE);
    await works(layout);
  });

  it("QUEUE §4.1.4.3.2 driver: sets a queue up with size 0, or out of RAM", async () => {
    const setUps: readonly [size: number, areas: Areas, code: string][] = [
      [0, AREAS, "QUEUE_SIZE_INVALID"],
      [SIZE, { ...AREAS, descriptor: 0xa0000 }, "RING_OUT_OF_GUEST"],
      [SIZE, { ...AREAS, device: 0x200000 }, "RING_OUT_OF_GUEST"],
      [SIZE, { ...AREAS, driver: 0x2001 }, "RING_ALIGN"],
    ];
    for (const [size, areas, code] of setUps) {
      await negotiate(layout);
      enable(size, areas);
      expect([await port.queueReady(0), violations.at(-1)]).toEqual([false, code]);
    }
    await works(layout);
  });

  it("FEAT §3.1.1 driver: changes the features after FEATURES_OK", async () => {
    const hand = await live(layout);
    for (const word of [0, 1]) await port.writeDriverFeatures(word, 0);
    expect(violations).toContain("FEATURES_FROZEN");
    expect(rig.device(0).device.ring?.layout).toBe(layout);
    if (layout === "split") avail(hand, [0]);
    else put(hand, 0);
    await served();
    expect(rig.device(0).counters.chains).toBe(1);
  });

  it("STATUS §3.1.1 driver: sets DRIVER_OK without FEATURES_OK", async () => {
    for (const status of [0, 1, 3, 7]) await port.writeStatus(status);
    expect(await port.readStatus()).toBe(3);
    expect(violations).toEqual(["STATUS_SEQUENCE"]);
    await works(layout);
  });
});
