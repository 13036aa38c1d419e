/** What an upgraded device tells of its registers, and that the judge finds in it what a driver does wrong. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { judge } from "../../src/conformance/judge";
import type { ControlEvent } from "../../src/negotiation/control-event";
import { type UpgradedDevice, upgrade } from "../../src/v86";
import { RawSplit } from "../raw-ring";
import { type Registers, V86Machine } from "./v86-machine";
import type { Ports } from "./v86-ports";

const AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
const [RX, TX] = [0, 1];
const LIVE = 0xf;
const CONFIG_BAR = 3;

let machine: V86Machine;
let device: UpgradedDevice;
let registers: Registers;
let ports: Ports;
/** Where the device-specific configuration begins. */
let config: number;
const events: ControlEvent[] = [];

beforeAll(async () => {
  machine = await V86Machine.start({ net_device: { type: "virtio" } });
  const onEvent = (event: ControlEvent) => events.push(event);
  const [net] = await upgrade(machine.emulator, { devices: ["net"], onEvent });
  if (net === undefined) throw new Error("no net device");
  device = net;
  registers = machine.registers("net");
  ports = machine.cpu.io as unknown as Ports;
  const { pci_space } = machine.stock("net").virtio;
  const bar = 16 + 4 * CONFIG_BAR;
  config = ((pci_space[bar] ?? 0) | ((pci_space[bar + 1] ?? 0) << 8)) & ~1;
});

afterAll(() => machine.stop());

beforeEach(() => {
  registers.status = 0;
  machine.memory.fill(0x1000, 0x8000, 0);
  events.length = 0;
});

/** Accesses and notifications in short. */
const told = () =>
  events.map(({ access, step, field }) => {
    if (access === undefined) return `${step} ${field}`;
    const { how, register, index, bytes, value } = access;
    const place = [index, bytes].filter((part) => part !== undefined).join(" × ");
    return `${how} ${register}${place && ` ${place}`}: ${value.toString(16)}`;
  });

const findings = () =>
  judge(
    events.map((event, seq) => ({ ...event, seq })),
    { deviceType: "net", transport: "pci", offered: device.offered },
  ).map(({ clause, side }) => `${clause} ${side}`);

/** Up to FEATURES_OK. */
const negotiated = () => expect(registers.negotiate("VERSION_1")).toBe(0xb);

describe("an upgraded device tells of", () => {
  it("the negotiation and the set-up of a queue, as devices of ours do", () => {
    registers.status = 0;
    expect(registers.status).toBe(0);
    expect(registers.offered.has("VERSION_1")).toBe(true);
    negotiated();
    expect(registers.enable(TX, 8, AREAS)).toBe(1);
    registers.status = LIVE;
    const { offered } = device;
    expect(told()).toEqual([
      "write status: 0",
      "read status: 0",
      `read device-features 0: ${offered.word(0).toString(16)}`,
      `read device-features 1: ${offered.word(1).toString(16)}`,
      "write status: 0",
      "write status: 1",
      "write status: 3",
      "write driver-features 0: 0",
      "write driver-features 1: 1",
      "write status: b",
      "read status: b",
      "write queue-enable 1: 8",
      "read queue-enable 1: 1",
      "write status: f",
    ]);
    expect(events.at(-1)).toMatchObject({ side: "device", before: "0x0b", after: "0x0f", section: "2.1" });
  });

  it("reads of the configuration, by offset and width", () => {
    const mac = [0, 1, 2, 3, 4, 5].map((at) => ports.port_read8(config + at));
    expect(told()).toEqual(mac.map((value, at) => `read config ${at} × 1: ${value.toString(16)}`));
  });

  it("notifications before DRIVER_OK, and of none of a buffer afterwards", () => {
    negotiated();
    registers.enable(TX, 8, AREAS);
    events.length = 0;
    registers.notify(TX);
    registers.status = LIVE;
    registers.notify(TX);
    expect(told()).toEqual(["write notify: 1", "write status: f"]);
  });

  it("the notification that DEVICE_NEEDS_RESET comes with", () => {
    negotiated();
    registers.enable(TX, 8, AREAS);
    registers.status = LIVE;
    events.length = 0;
    new RawSplit(machine.memory, 8, AREAS).availIdx = 50_000;
    registers.notify(TX);
    expect(registers.status).toBe(LIVE | 0x40);
    expect(told()).toEqual(["interrupt config", "read status: 4f"]);
  });
});

describe("the judge", () => {
  /** A driver that does all in order, with something in the middle. */
  function initialise(before: () => void = () => {}): void {
    registers.status = 0;
    expect(registers.status).toBe(0);
    registers.status = 1;
    registers.status = 3;
    registers.accept(registers.offered.without("RING_PACKED"));
    registers.status = 0xb;
    expect(registers.status).toBe(0xb);
    for (const queue of [RX, TX]) registers.enable(queue, 8, AREAS);
    before();
    registers.status = LIVE;
  }

  it("finds nothing else in a good driver than what it leaves out", () => {
    initialise();
    expect(findings()).toEqual(["RESERVED-006 driver"]);
  });

  it("INIT-008 §3.1.1 driver: finds a notification before DRIVER_OK", () => {
    initialise(() => registers.notify(RX));
    expect(findings()).toContain("INIT-008 driver");
  });

  it("finds a status that goes back", () => {
    initialise();
    registers.status = 0xb;
    expect(findings().filter((finding) => finding !== "RESERVED-006 driver")).toHaveLength(1);
  });
});
