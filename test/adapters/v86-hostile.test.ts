/** A hostile guest against v86's own net device with our queues in it: nothing throws, hangs, or reaches v86's model. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { UpgradedVirtio } from "../../src/adapters/v86/device";
import type { VirtioError } from "../../src/errors";
import { VIRTIO_PCI_ISR_CONFIG } from "../../src/spec/pci";
import { upgrade } from "../../src/v86";
import { RawPacked, RawSplit } from "../raw-ring";
import { type Registers, V86Machine } from "./v86-machine";

const AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
const SIZE = 8;
const [RX, TX] = [0, 1];
const TX_OFFSET = 2;
const FRAME = 0x8000;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
const LIVE = 0xf;
const NEEDS_RESET = 0x40;

let machine: V86Machine;
let registers: Registers;
let device: UpgradedVirtio;
const violations: VirtioError[] = [];
const sent: Uint8Array[] = [];

beforeAll(async () => {
  machine = await V86Machine.start({ net_device: { type: "virtio" } });
  const [net] = await upgrade(machine.emulator, { onViolation: (error) => violations.push(error) });
  if (!(net instanceof UpgradedVirtio)) throw new Error("no net device");
  device = net;
  registers = machine.registers("net");
  machine.emulator.add_listener("net0-send", (frame) => sent.push(frame));
});

afterAll(() => machine.stop());

beforeEach(() => {
  machine.memory.fill(0x1000, 0x10000, 0);
  violations.length = 0;
  sent.length = 0;
});

/** A transmit queue of a layout, live. */
function live(layout: "split" | "packed", ...features: string[]): void {
  const all = ["VERSION_1", ...(layout === "packed" ? ["RING_PACKED"] : []), ...features];
  expect(registers.negotiate(...all)).toBe(0xb);
  expect(registers.enable(TX, SIZE, AREAS)).toBe(1);
  registers.status = LIVE;
}

const notify = () => registers.notify(TX);

/** The device shows DEVICE_NEEDS_RESET and an interrupt, told of one breach, and is silent from then on. */
function expectBroken(code: string): void {
  expect(violations.map((error) => error.code)).toEqual([code]);
  expect(registers.status).toBe(LIVE | NEEDS_RESET);
  expect(registers.isr & VIRTIO_PCI_ISR_CONFIG).toBe(VIRTIO_PCI_ISR_CONFIG);
  const before = machine.memory.copy(0, 0x100000);
  notify();
  expect(registers.isr).toBe(0);
  expect(Buffer.compare(machine.memory.copy(0, 0x100000), before)).toBe(0);
  expect(violations).toHaveLength(1);
  expect(sent).toEqual([]);
}

const split = () => new RawSplit(machine.memory, SIZE, AREAS);
const packed = () => new RawPacked(machine.memory, SIZE, AREAS);
/** Makes head 0 of a split ring available. */
function offerHead(ring: RawSplit, head = 0): void {
  ring.setAvailRing(0, head);
  ring.availIdx = 1;
}

describe("a split ring", () => {
  it.each([
    ["an index 50000 ahead", "RING_INDEX_JUMP", (ring: RawSplit) => (ring.availIdx = 50_000)],
    ["a head beyond the ring", "DESC_INDEX_RANGE", (ring: RawSplit) => offerHead(ring, 40_000)],
    [
      "a chain that goes round",
      "CHAIN_TOO_LONG",
      (ring: RawSplit) => {
        ring.desc(0, { addr: FRAME, len: 16, flags: NEXT, next: 1 });
        ring.desc(1, { addr: FRAME, len: 16, flags: NEXT, next: 0 });
        offerHead(ring);
      },
    ],
    [
      "a length of 0xfffffff0",
      "DESC_OUT_OF_GUEST",
      (ring: RawSplit) => {
        ring.desc(0, { addr: FRAME, len: 0xfffffff0 });
        offerHead(ring);
      },
    ],
    [
      "a buffer in the VGA's window",
      "DESC_OUT_OF_GUEST",
      (ring: RawSplit) => {
        ring.desc(0, { addr: 0xa0000, len: 16 });
        offerHead(ring);
      },
    ],
    [
      "a table that names itself",
      "INDIRECT_NESTED",
      (ring: RawSplit) => {
        ring.desc(0, { addr: 0x9000, len: 16, flags: INDIRECT });
        ring.desc(0, { addr: 0x9000, len: 16, flags: INDIRECT }, 0x9000);
        offerHead(ring);
      },
    ],
    [
      "the same memory 1024 times, 1 GiB in all",
      "CHAIN_BYTES_OVERFLOW",
      (ring: RawSplit) => {
        for (let i = 0; i < 1024; i++)
          ring.desc(i, { addr: 0x100000, len: 0x100000, flags: i < 1023 ? NEXT : 0, next: i + 1 }, 0xc0000);
        ring.desc(0, { addr: 0xc0000, len: 1024 * 16, flags: INDIRECT });
        offerHead(ring);
      },
    ],
  ])("with %s", (_, code, harm) => {
    live("split", "INDIRECT_DESC");
    harm(split());
    notify();
    expectBroken(code);
  });
});

describe("a packed ring", () => {
  it("with a list that never ends", () => {
    live("packed");
    for (let i = 0; i < SIZE; i++) packed().desc(i, { addr: FRAME, len: 16, flags: NEXT | 0x80 });
    notify();
    expectBroken("CHAIN_TOO_LONG");
  });

  it("with a writable buffer before a readable one", () => {
    live("packed");
    packed().desc(1, { addr: FRAME, len: 16, flags: 0x80 });
    packed().desc(0, { addr: FRAME, len: 16, flags: NEXT | WRITE | 0x80 });
    notify();
    expectBroken("DESC_ORDER");
  });
});

describe("on the registers", () => {
  it("PCI §4.1.4.4 driver: a notification of a queue that isn't there goes nowhere", () => {
    live("packed");
    registers.notify(99, TX_OFFSET);
    registers.notify(0, TX_OFFSET); // the receive queue's register is another one
    expect(violations.map(({ code }) => code)).toEqual(["QUEUE_INDEX_RANGE", "QUEUE_INDEX_RANGE"]);
    expect(registers.status).toBe(LIVE);
  });

  it.each([
    ["of size 0", "QUEUE_SIZE_INVALID", 0, AREAS],
    ["with a table that is not aligned", "RING_ALIGN", SIZE, { ...AREAS, descriptor: 0x1008 }],
    ["in the VGA's window", "RING_OUT_OF_GUEST", SIZE, { ...AREAS, device: 0xa0000 }],
    ["behind RAM", "RING_OUT_OF_GUEST", SIZE, { ...AREAS, driver: 0x200000 }],
    ["with areas in one another", "RING_OVERLAP", SIZE, { ...AREAS, driver: 0x1000 }],
  ])("a queue %s stays disabled", (_, code, size, areas) => {
    expect(registers.negotiate("VERSION_1")).toBe(0xb);
    expect(registers.enable(TX, size, areas)).toBe(0);
    expect(violations.map((error) => error.code)).toEqual([code]);
    registers.status = LIVE;
    notify();
    expect(registers.status).toBe(LIVE);
  });

  it("INIT §3.1.1 driver: a queue enabled before FEATURES_OK has no ring, and so none with DRIVER_OK alone", () => {
    registers.status = 0;
    registers.status = 3;
    expect(registers.enable(TX, SIZE, AREAS)).toBe(0);
    registers.status = 7;
    offerHead(split());
    notify();
    expect(violations.map(({ code }) => code)).toEqual(["QUEUE_NOT_READY"]);
    expect(split().usedIdx).toBe(0);
  });

  it("DEVICE_NEEDS_RESET stays whatever the driver writes, and a reset heals", () => {
    live("packed");
    for (let i = 0; i < SIZE; i++) packed().desc(i, { addr: FRAME, len: 16, flags: NEXT | 0x80 });
    notify();
    for (const written of [LIVE, 3, LIVE]) {
      registers.status = written;
      expect(registers.status).toBe(written | NEEDS_RESET);
    }
    registers.status = 0;
    expect(registers.status).toBe(0);
    live("split");
    split().desc(0, { addr: FRAME, len: 64 });
    offerHead(split());
    notify();
    expect(split().usedIdx).toBe(1);
    expect(sent).toHaveLength(1);
  });
});

it("a ring that breaks silences the device's other rings too, and is told of once", () => {
  const receive = { descriptor: 0x4000, driver: 0x5000, device: 0x6000 };
  expect(registers.negotiate("VERSION_1")).toBe(0xb);
  expect(registers.enable(TX, SIZE, AREAS)).toBe(1);
  expect(registers.enable(RX, SIZE, receive)).toBe(1);
  registers.status = LIVE;
  const ring = new RawSplit(machine.memory, SIZE, receive);
  ring.desc(0, { addr: FRAME, len: 2048, flags: WRITE });
  offerHead(ring);
  split().availIdx = 50_000;
  notify();
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  machine.send("net0-receive", new Uint8Array(60));
  log.mockRestore();
  expect(ring.usedIdx).toBe(0);
  device.breakDown(new Error("again"));
  expectBroken("RING_INDEX_JUMP");
});

describe("what v86's model makes of a frame", () => {
  it("is v86's affair; what it throws breaks the device alone", () => {
    live("packed");
    let throws = true;
    machine.emulator.add_listener("net0-send", () => {
      if (throws) throw new RangeError("too short");
    });
    packed().desc(0, { addr: FRAME, len: 1, flags: 0x80 });
    notify();
    throws = false;
    sent.length = 0;
    expectBroken("INTERNAL");
  });
});
