// A window of virtio-mmio moves with its device, between any two accesses of the driver, and takes no image that is not one.
import { describe, expect, it } from "vitest";
import { VirtioDevice } from "../../src/device/device";
import * as mmio from "../../src/spec/mmio";
import { MmioTransport } from "../../src/transport/mmio";
import { TestModel } from "../control-rig";
import { forged, type Plain, refusalOf } from "../device/image-rig";
import { areasOf, featuresOf } from "./device-bench";
import { MmioRig } from "./mmio-rig";

const MODEL = {
  queues: [
    { name: "a", maxSize: 256 },
    { name: "b", maxSize: 64 },
  ],
  config: [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }],
} as const;
const SHARED = [{ id: 5, base: 0x1_0000_0000, length: 0x1000 }];
const PAGE = 4096;

type Version = 1 | 2;

/** A machine whose window is taken apart and put together again over the same guest memory. */
class Movable {
  readonly rig: MmioRig;
  window: MmioTransport;
  /** Levels of the line since the last move. */
  levels: boolean[] = [];
  readonly codes: string[] = [];
  private readonly version: Version;

  constructor(version: Version) {
    this.version = version;
    this.rig = new MmioRig();
    this.window = this.fresh();
  }

  /** A new window before a new device. */
  fresh(): MmioTransport {
    const { version } = this;
    const levels: boolean[] = [];
    this.levels = levels;
    const device = new VirtioDevice(this.rig.core, new TestModel(MODEL), {
      profile: version === 1 ? "transitional" : "strict",
      onViolation: ({ code }) => this.codes.push(code),
    });
    const options = version === 1 ? {} : { sharedMemory: SHARED };
    return new MmioTransport(device, { ...options, version, onInterrupt: (level) => levels.push(level) });
  }

  move(): void {
    const text = JSON.stringify(this.window.save());
    this.window.device.dispose();
    this.window = this.fresh();
    this.window.restore(text);
    expect(JSON.stringify(this.window.save().queues)).toBe(JSON.stringify(JSON.parse(text).queues));
  }

  put = (at: number, value: number) => this.window.write(at, value, 4);
  get = (at: number) => this.window.read(at, 4);

  serve(): void {
    while (this.window.device.process() === "more");
  }
}

/** What happens on one side or the other; what a step gives must be the same whether the window was moved or not. */
type Step = (machine: Movable) => unknown;

const write =
  (at: number, value: number): Step =>
  ({ put }) =>
    put(at, value);
const read =
  (at: number, mask = 0xffff_ffff): Step =>
  ({ get }) =>
    (get(at) & mask) >>> 0;
const statuses = (...values: number[]) => values.map((value) => write(mmio.VIRTIO_MMIO_STATUS, value));

/** Notifications of both kinds, each acknowledged; a moved device may have told of used buffers once more. */
const interrupts = (queue: number): Step[] => [
  write(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, queue),
  (machine) => machine.serve(),
  read(mmio.VIRTIO_MMIO_INTERRUPT_STATUS, 1),
  (machine) => machine.window.device.configChanged(),
  read(mmio.VIRTIO_MMIO_INTERRUPT_STATUS, 2),
  write(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 2),
  read(mmio.VIRTIO_MMIO_INTERRUPT_STATUS, 2),
  write(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 3),
  read(mmio.VIRTIO_MMIO_INTERRUPT_STATUS, 2),
];

function modern(layout: "split" | "packed"): Step[] {
  const { descriptor, driver, device } = areasOf(layout);
  return [
    ...statuses(1, 3),
    write(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1),
    read(mmio.VIRTIO_MMIO_DEVICE_FEATURES),
    write(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1),
    write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, featuresOf(layout).length === 1 ? 1 : 5),
    ...statuses(0x0b),
    read(mmio.VIRTIO_MMIO_STATUS),
    write(mmio.VIRTIO_MMIO_SHM_SEL, 5),
    read(mmio.VIRTIO_MMIO_SHM_LEN_LOW),
    read(mmio.VIRTIO_MMIO_SHM_BASE_HIGH),
    write(mmio.VIRTIO_MMIO_QUEUE_SEL, 1),
    read(mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX),
    write(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8),
    write(mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, descriptor),
    write(mmio.VIRTIO_MMIO_QUEUE_DESC_HIGH, 0),
    write(mmio.VIRTIO_MMIO_QUEUE_DRIVER_LOW, driver),
    write(mmio.VIRTIO_MMIO_QUEUE_DEVICE_LOW, device),
    write(mmio.VIRTIO_MMIO_QUEUE_READY, 1),
    read(mmio.VIRTIO_MMIO_QUEUE_READY),
    ...statuses(0x0f),
    ({ rig }) => rig.offer(layout, 3),
    ...interrupts(1),
    ({ rig }) => rig.used(layout, 3),
    read(mmio.VIRTIO_MMIO_QUEUE_READY),
  ];
}

const LEGACY: Step[] = [
  write(mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE),
  ...statuses(0, 1, 3),
  read(mmio.VIRTIO_MMIO_DEVICE_FEATURES),
  write(mmio.VIRTIO_MMIO_DRIVER_FEATURES, 0),
  write(mmio.VIRTIO_MMIO_QUEUE_SEL, 1),
  write(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8),
  write(mmio.VIRTIO_MMIO_QUEUE_ALIGN, PAGE),
  write(mmio.VIRTIO_MMIO_QUEUE_PFN, 3),
  read(mmio.VIRTIO_MMIO_QUEUE_PFN),
  ...statuses(7),
  write(mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, 2 * PAGE), // moves no queue in use
  ({ rig }) => rig.offer("split", 3, 8, { descriptor: 0x3000, driver: 0x3080, device: 0x4000 }),
  ...interrupts(1),
  ({ rig }) => rig.used("split", 3, 8, { descriptor: 0x3000, driver: 0x3080, device: 0x4000 }),
  read(mmio.VIRTIO_MMIO_QUEUE_PFN),
  ...statuses(0, 1, 3),
  write(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8),
  write(mmio.VIRTIO_MMIO_QUEUE_ALIGN, PAGE),
  write(mmio.VIRTIO_MMIO_QUEUE_PFN, 5),
  read(mmio.VIRTIO_MMIO_QUEUE_PFN),
];

describe.each([
  ["version 2, split", 2, modern("split")],
  ["version 2, packed", 2, modern("packed")],
  ["version 1", 1, LEGACY],
] as const)("%s", (_, version, steps) => {
  const lived = (before: (machine: Movable, step: number) => void) => {
    const machine = new Movable(version);
    const answers = steps.map((step, i) => {
      before(machine, i);
      return step(machine);
    });
    expect(machine.codes).toEqual([]);
    machine.rig.expectCanary();
    return answers;
  };
  const unmoved = lived(() => {});

  it.each(steps.map((_step, i) => i))("is moved before step %i, and the driver notices nothing", (at) => {
    expect(lived((machine, step) => step === at && machine.move())).toEqual(unmoved);
  });

  it("is moved before every step", () => {
    expect(lived((machine) => machine.move())).toEqual(unmoved);
  });
});

/** A live machine of queue 0, and a notification of its configuration that nobody has acknowledged. */
function live(version: Version = 2): Movable {
  const machine = new Movable(version);
  const steps = version === 2 ? modern("split") : LEGACY;
  for (const step of steps.slice(0, steps.length - (version === 2 ? 10 : 16))) step(machine);
  machine.window.device.configChanged();
  return machine;
}

it("MMIO-003 §4.2.2.1 device: an event that was not acknowledged outlives the move, and so does the line's level", () => {
  const machine = live();
  expect([machine.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), machine.levels]).toEqual([2, [true]]);
  machine.move();
  expect([machine.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), machine.levels]).toEqual([3, [true]]);
  machine.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 3);
  expect([machine.window.interruptLevel, machine.levels]).toEqual([false, [true, false]]);
});

describe("an image is refused, and nothing has changed", () => {
  const cases: readonly (readonly [why: RegExp, version: Version, path: string, value: unknown])[] = [
    [/schema is "virtq.mmio\/2"/, 2, "schema", "virtq.mmio/2"],
    [/version 1, the window has 2/, 2, "version", 1],
    [/interruptStatus is 4/, 2, "interruptStatus", 4],
    [/shmSel is -1/, 2, "shmSel", -1],
    [/no field queues/, 2, "queues", undefined],
    [/queueSel is 4294967296/, 2, "queues.queueSel", 2 ** 32],
    [/1 queues, the device has 2/, 2, "queues.programmed", [[0, 0, 0, 0, 0, 0, 0]]],
    [/1 words of queue 0, version 2 has 7/, 2, "queues.programmed.0", [0]],
    [/\[1\]\[1\] is 0.5/, 2, "queues.programmed.1.1", 0.5],
    [/queue 1 is in use, and something else/, 2, "queues.programmed.1.0", 16],
    [/queue 1 is in use, and something else/, 2, "queues.programmed.1.6", 1],
    [/queue 1 is in use, and something else/, 1, "queues.programmed.1.2", 4],
    [/queue 1 is in use, and something else/, 1, "queues.programmed.1.1", 0],
    [/queue 1 is in use, and something else/, 1, "queues.programmed.1.3", 0],
    [/queue 65535 is in use/, 2, "device.queues.1.index", 65535],
    [/status/, 2, "device.status", 0x40],
    [/schema is undefined/, 2, "device", null],
    [/queues is 5/, 2, "device.queues", 5],
  ];

  /** Puts a value into plain data; undefined leaves it out. */
  const set = (plain: Plain, path: string, value: unknown) => {
    const names = path.split(".");
    const last = names.pop() ?? "";
    const place = names.reduce((inner, name) => inner[name], plain);
    place[last] = value;
  };

  it.each(cases)("%s, version %i, %s", (why, version, path, value) => {
    const image = live(version).window.save();
    const machine = new Movable(version);
    machine.put(mmio.VIRTIO_MMIO_QUEUE_SEL, 0);
    const before = machine.window.save();
    expect(
      refusalOf(
        machine.window,
        forged(image, (plain) => set(plain, path, value)),
      ),
    ).toMatch(why);
    expect([machine.window.save(), machine.levels]).toEqual([before, []]);
    machine.window.restore(image);
    expect(machine.window.interruptLevel).toBe(true);
  });

  it("that is damaged, or no image at all", () => {
    const { window } = live();
    const text = JSON.stringify(window.save());
    const { window: other } = new Movable(2);
    for (const given of [
      undefined,
      null,
      7,
      "",
      "{}",
      text.slice(1),
      text.replace("2", "3"),
      window.device.save(),
    ])
      expect(refusalOf(other, given)).not.toBe("");
  });

  it("while the device is in use: DEVICE_BUSY, and it goes on", () => {
    const image = new Movable(2).window.save();
    const { window, get } = live();
    const before = window.save();
    expect(() => window.restore(image)).toThrow(expect.objectContaining({ code: "DEVICE_BUSY" }));
    expect([window.save(), get(mmio.VIRTIO_MMIO_QUEUE_READY)]).toEqual([before, 1]);
  });
});
