/**
 * Hostile device images: damaged, of another device, forged with right checksums. Each is refused with SNAPSHOT_INVALID
 * and both numbers, the device then as it was, or gives a device that works; never a trap, never a byte outside.
 */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { stateBytes } from "../../src/core/state-area";
import { VirtioDevice } from "../../src/device/device";
import { VirtioDriver } from "../../src/driver/driver";
import { VirtioError } from "../../src/errors";
import { Loopback } from "../../src/transport/loopback";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { Random } from "../property/random";
import { forged, HoldingModel, type Plain, refusalOf, resealed } from "./image-rig";

const GUEST = { gpa: 0, base: 0x10000, size: 0x8000 };
const PER_CORE = Math.ceil(stateBytes({ queues: 2, maxQueueSize: 8, batch: 4 }) / 64) * 64;
const DRIVER_STATE = { base: 0x20000, size: 0x10000 };
const DEVICE_STATE = { base: 0x34000, size: PER_CORE };
const PAGES = 6;
const CANARY = 0xa5;
const FEATURES = {
  split: ["VERSION_1", "INDIRECT_DESC", "RING_RESET", "SUSPEND"],
  packed: ["VERSION_1", "RING_PACKED", "INDIRECT_DESC", "RING_RESET", "SUSPEND"],
  "packed, IN_ORDER": ["VERSION_1", "RING_PACKED", "IN_ORDER", "EVENT_IDX"],
} as const;
type Setup = keyof typeof FEATURES;
const SETUPS = Object.keys(FEATURES) as Setup[];

const config = [
  { name: "fixed", offset: 0, bytes: 4, anyOf: [], value: 7 },
  { name: "mode", offset: 4, bytes: 2, anyOf: [], writable: true, value: 3 },
] as const;
const queues = [
  { name: "a", maxSize: 8 },
  { name: "b", maxSize: 8 },
];

/** A driver with a device in mid-run, and a device on another core that nobody uses; a canary lies around both. */
async function world(setup: Setup, deviceOffer?: readonly string[]) {
  const memory = new WebAssembly.Memory({ initial: PAGES });
  const bytes = new Uint8Array(memory.buffer);
  bytes.fill(CANARY);
  const core = loadCoreSync({ memory, regions: [GUEST], state: DRIVER_STATE });
  const other = loadCoreSync({ memory, regions: [GUEST], state: DEVICE_STATE });
  core.view(0, GUEST.size).fill(0);
  const model = new HoldingModel({ config, queues });
  const small = { batch: 4, share: 4 };
  const source = new VirtioDevice(core, model, small);
  const allocator = new GuestAllocator(core);
  const supports = FEATURES[setup];
  const driver = new VirtioDriver({ core, allocator, port: new Loopback(source), supports });
  expect(await driver.initialize()).toMatchObject({ ok: true });
  const [queue] = driver.queues;
  if (queue === undefined) throw new Error("no queue");
  const address = allocator.allocate(16);
  const add = () => queue.add([{ address, length: 8 }], [{ address: address + 8, length: 8 }]);
  for (let i = 0; i < 4; i++) add();
  void driver.kick(0);
  source.process(3);
  const { tokens } = model;
  model.complete(tokens[0] ?? 0, 4);
  model.context?.finish(0);
  source.writeConfig(4, 2, 0x55);
  const restored = new HoldingModel({ config, queues });
  const offer = deviceOffer === undefined ? {} : { offer: deviceOffer };
  const violations: VirtioError[] = [];
  const onViolation = (error: VirtioError) => void violations.push(error);
  const device = new VirtioDevice(other, restored, { ...small, ...offer, onViolation });
  return { core, allocator, bytes, source, driver, queue, add, device, model: restored, violations };
}

/** What a driver sees of a device, and what can be asked of it. */
function faceOf(device: VirtioDevice) {
  const bytes = [0, 4].map((offset) => device.readConfig(offset, 2)); // a first access is remembered: look before saving
  return { bytes, ready: [0, 1].map((index) => device.queueReady(index)), ...device.save() };
}

const queueOf = (plain: Plain) => plain.queues[0].setup as Plain;

describe.each(SETUPS)("%s", (setup) => {
  const isPacked = setup !== "split";
  const damages: readonly (readonly [string, (plain: Plain) => unknown, RegExp])[] = [
    ["another version", (p) => (p.schema = "virtq.device/2"), /"virtq.device\/2", known is virtq.device\/1/],
    ["no version", (p) => delete p.schema, /schema is undefined/],
    ["an unknown field", (p) => (p.extra = 1), /has a field extra, known are schema/],
    ["an unknown field inside", (p) => (p.config.extra = 1), /image.config has a field extra/],
    ["a missing field", (p) => delete p.features.window, /image.features has no field window/],
    ["another device ID", (p) => (p.deviceId = 2), /device ID 2, test device has 0/],
    ["a wide status", (p) => (p.status = 0x10f), /status is 271, not a whole number in 0…255/],
    ["an unknown phase", (p) => (p.phase = "resetting"), /phase is "resetting"/],
    ["a list for an object", (p) => (p.config = []), /config is \[\], not an object/],
    ["text for a list", (p) => (p.queues = "many"), /queues is "many", not a list/],
    ["three words", (p) => p.features.accepted.pop(), /accepted has 3 items, not 4/],
    ["a number for text", (p) => (p.features.refusal = 1), /refusal is 1, not text/],
    ["another offer", (p) => (p.features.offered[0] ^= 1), /offers .*; offered here: /],
    [
      "a bit that is not offered",
      (p) => (p.features.accepted[2] = p.features.negotiated[2] = 1),
      /bit 64 .*is negotiated, offered is/,
    ],
    [
      "a negotiated set that was not accepted",
      (p) => (p.features.accepted = [0, 0, 0, 0]),
      /is negotiated, accepted is/,
    ],
    [
      "a set that would have been refused",
      (p) => (p.features.accepted[1] = p.features.negotiated[1] &= ~1),
      /FEATURES_OK with .*: .*VERSION_1/,
    ],
    ["features from nowhere", (p) => (p.features.featuresWritten = false), /no feature word was written/],
    ["a legacy driver", (p) => (p.features.isLegacy = true), /image of a legacy driver in use/],
    ["a live phase without features", (p) => (p.features.negotiated = null), /phase live without negotiated/],
    ["a phase that the status denies", (p) => (p.phase = "setup"), /phase setup with status 0x0f/],
    ["a status that the phase denies", (p) => (p.status = 0x07), /phase live with status 0x07/],
    [
      "reset with features",
      (p) => Object.assign(p, { phase: "reset", status: 0 }),
      /phase reset with negotiated/,
    ],
    [
      "suspending",
      (p) => Object.assign(p, { phase: "suspending", status: 0x1f }),
      setup === "packed, IN_ORDER" ? /SUSPEND is not negotiated/ : /a configuration that moves/,
    ],
    [
      "a live configuration that stands still",
      (p) => (p.config.frozen = true),
      /phase live with .* stands still/,
    ],
    [
      "a shorter configuration",
      (p) => p.config.bytes.pop(),
      /configuration of 5 bytes, .*; here it is 6 bytes/,
    ],
    ["less that was seen", (p) => p.config.seen.pop(), /5 configuration bytes were seen, there are 6/],
    ["another written field", (p) => (p.config.kept[0].name = "fixed"), /fixed of 2; here .*mode of 2/],
    ["a byte of 256", (p) => (p.config.kept[0].bytes[0] = 256), /256, not a whole number in 0…255/],
    ["a queue less", (p) => p.queues.pop(), /image of 1 queues, test device has 2/],
    ["a queue twice", (p) => (p.queues[1] = p.queues[0]), /queue 0 in the place of queue 1/],
    ["a queue that is reset and enabled", (p) => (p.queues[0].wasReset = true), /can't be enabled at once/],
    ["a queue too large", (p) => (queueOf(p).size = 16), /size 16 is not within 1…8/],
    ["no queue size", (p) => (queueOf(p).size = 0), /size 0 is not within 1…8/],
    [
      "a size that fits the layout not",
      (p) => (queueOf(p).size = queueOf(p).image.size = 6),
      isPacked
        ? /80? ?.*shadow values for size 6|40 shadow values for size 6/
        : /size 6 is no power of two, the next one is 8/,
    ],
    ["another size than its state", (p) => (queueOf(p).size = 4), /queue size 8, the queue has 4/],
    ["areas outside guest RAM", (p) => (queueOf(p).areas.device = GUEST.size), /0x8000/],
    ["areas at an odd address", (p) => queueOf(p).areas.descriptor++, /alignment 16/],
    ["areas beyond 2^53", (p) => (queueOf(p).areas.driver = 2 ** 60), /1152921504606847000/],
    ["a fraction of an address", (p) => (queueOf(p).areas.driver = 0.5), /0\.5, not a whole number/],
    [
      "a live queue without its state",
      (p) => (queueOf(p).image = null),
      /queue 0 without its state in phase live/,
    ],
    ["a state that is text", (p) => (queueOf(p).image = "state"), /an image has the fields/],
    [
      "a state without lists",
      (p) => (queueOf(p).image.line = 5),
      /line, shadow, inFlight and held are lists/,
    ],
    ["a state with lists of text", (p) => (queueOf(p).image.shadow[1] = "1"), /value 1 in the image/],
    ["held completions that are none", (p) => (queueOf(p).image.held = [1]), /held is one of pairs/],
    [
      "held out of turn",
      (p) => (queueOf(p).image.held = [[queueOf(p).image.inFlight[0], 0]]),
      /only later ones wait/,
    ],
    [
      "another layout",
      (p) => (queueOf(p).image.layout = isPacked ? "split" : "packed"),
      /image of a .* ring/,
    ],
    ["positions that are too far apart", (p) => (queueOf(p).image.line[1] += 5), /between the|below/],
    ["a state of the model that it refuses", (p) => (p.model = null), /wants tokens/],
  ];

  it.each(damages)("refuses %s", async (_, damage, message) => {
    const { device, source, bytes } = await world(setup);
    const before = faceOf(device);
    const memory = bytes.slice();
    const image = forged(source.save(), damage);
    expect(refusalOf(device, image)).toMatch(message);
    expect(refusalOf(device, JSON.stringify(image))).toMatch(message);
    expect(faceOf(device)).toEqual(before);
    expect(Buffer.compare(bytes.subarray(0, DRIVER_STATE.base), memory.subarray(0, DRIVER_STATE.base))).toBe(
      0,
    );
    device.restore(source.save()); // and the good one still goes in
    expect(device.phase).toBe("live");
  });

  it("refuses a text with a character less, more, or another one anywhere", async () => {
    const { device, source } = await world(setup);
    const text = JSON.stringify(source.save());
    const before = faceOf(device);
    const texts = [
      text.slice(0, -1),
      text.slice(1),
      `${text} `,
      `${text}\0`,
      `${text}}`,
      ` ${text}`,
      "",
      "{",
    ];
    for (const bad of texts) expect(refusalOf(device, bad)).toMatch(/\d+ characters/);
    for (let at = 0; at < text.length; at++) {
      for (const bit of [1, 8]) {
        const other = String.fromCharCode(text.charCodeAt(at) ^ bit);
        refusalOf(device, text.slice(0, at) + other + text.slice(at + 1));
      }
    }
    expect(faceOf(device)).toEqual(before);
    device.restore(text);
  });

  it("refuses what is no plain data", async () => {
    const { device, source } = await world(setup);
    const cyclic: Plain = { ...source.save() };
    cyclic.model = cyclic;
    let deep: unknown = 0;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    const trap = () => {
      throw new Error("looked at");
    };
    const images: unknown[] = [
      undefined,
      null,
      5,
      true,
      [],
      {},
      () => {},
      Symbol("image"),
      10n,
      "null",
      "5",
      new Map(),
      cyclic,
      deep,
      { schema: "virtq.device/1", model: deep },
      "[".repeat(100_000),
      { toJSON: trap },
      {
        ...source.save(),
        get status() {
          return trap();
        },
      },
      new Proxy({}, { ownKeys: trap }),
      JSON.stringify(source.save()).replace("{", '{"__proto__":1,'),
    ];
    for (const image of images) refusalOf(device, image);
    device.restore(source.save());
  });
});

it("a device that doesn't offer RING_PACKED takes no image in which it is negotiated", async () => {
  const { device, source } = await world("packed", ["VERSION_1", "INDIRECT_DESC", "RING_RESET", "SUSPEND"]);
  expect(refusalOf(device, source.save())).toMatch(/RING_PACKED/);
  const image = forged(source.save(), ({ features }) => (features.offered = device.offered.words));
  expect(refusalOf(device, image)).toMatch(/RING_PACKED is negotiated, offered is/);
  expect([device.ring, device.status, device.queueReady(0)]).toEqual([undefined, 0, false]);
});

it("a queue that hangs on a feature comes with no image in which that is not negotiated", async () => {
  const needing = { queues: [queues[0], { name: "b", maxSize: 8, needs: "RING_RESET" }], config };
  const { source, core } = await world("packed, IN_ORDER");
  const device = new VirtioDevice(core, new HoldingModel(needing as never));
  const image = forged(source.save(), (plain) => {
    plain.features.accepted[1] &= ~0x100;
    plain.features.negotiated[1] &= ~0x100;
  });
  expect(refusalOf(device, image)).toMatch(/queue 1 is enabled and hangs on RING_RESET, negotiated is/);
});

describe("forged at random, with right checksums", () => {
  const ROUNDS = 4000;

  it.each(SETUPS)(
    "%s: refused and nothing changed, or a device that works and can be reset",
    async (setup) => {
      const { core, allocator, device, model, source, driver, bytes, violations } = await world(setup);
      const random = new Random(241, SETUPS.indexOf(setup));
      const below = (n: number) => random.below(n);
      const guest = core.view(0, GUEST.size).slice();
      const image = source.save();
      const untouched = faceOf(device);
      const outside = otherBytes(bytes);
      const fates = { refused: 0, worked: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const plain = JSON.parse(JSON.stringify(image)) as Plain;
        const changes = 1 + below(3);
        for (let i = 0; i < changes; i++) mutate(plain, below);
        resealed(plain);
        const refusal = attempt(() => device.restore(below(2) ? plain : JSON.stringify(plain)));
        if (refusal === undefined) {
          fates.worked++;
          exercise(device, model, below);
          core.view(0, GUEST.size).set(guest);
        } else {
          expect([refusal.code, refusal.message]).toEqual(["SNAPSHOT_INVALID", expect.any(String)]);
          fates.refused++;
        }
        if (round % 100 === 0 || fates.worked % 50 === 1) {
          expect(faceOf(device).phase).toBe("reset");
          expect(Buffer.compare(otherBytes(bytes), outside), `round ${round}: bytes outside`).toBe(0);
        }
      }
      expect(violations.map(({ code }) => code)).not.toContain("INTERNAL");
      expect(fates.refused).toBeGreaterThan(ROUNDS / 2);
      expect(fates.worked).toBeGreaterThan(ROUNDS / 100);
      const fresh = faceOf(device);
      expect({ ...fresh, config: untouched.config, checksum: 0 }).toEqual({ ...untouched, checksum: 0 });
      device.restore(image);
      expect([device.status, model.tokens.length]).toEqual([0x0f, 2]);
      await driver.reset();
      device.writeStatus(0);
      const port = new Loopback(device);
      const anew = new VirtioDriver({ core, allocator, port, supports: FEATURES[setup] });
      expect(await anew.initialize()).toMatchObject({ ok: true });
    },
  );

  /** All that is neither guest RAM nor the device's own state. */
  const otherBytes = (bytes: Uint8Array) => {
    const end = GUEST.base + GUEST.size;
    const state = DEVICE_STATE.base + DEVICE_STATE.size;
    return Buffer.concat([
      bytes.subarray(0, GUEST.base),
      bytes.subarray(end, DEVICE_STATE.base),
      bytes.subarray(state),
    ]);
  };
});

const VALUES = [0, 1, 2, 3, 6, 7, 8, 9, 0x0b, 0x0f, 0x1b, 0x1f, 0x4f, 0x8f, 0xff, 0x7fff, 0x8000, 0xffff];
const ODD = [
  null,
  true,
  -1,
  0.5,
  "",
  "live",
  "setup",
  "suspended",
  "needs-reset",
  [],
  {},
  2 ** 32 - 1,
  2 ** 53,
  1e300,
];

/** Changes one leaf or branch, or exchanges two. */
function mutate(plain: Plain, below: (n: number) => number): void {
  let node: Plain = plain;
  for (;;) {
    const keys = Object.keys(node);
    const key = keys[below(keys.length)];
    if (key === undefined) return;
    const value: unknown = node[key];
    const isBranch = typeof value === "object" && value !== null && Object.keys(value).length > 0;
    if (isBranch && below(12) > 0) {
      node = value as Plain;
      continue;
    }
    const kind = below(12);
    if (kind === 0) delete node[key];
    else if (kind === 1) node[key] = ODD[below(ODD.length)];
    else if (kind === 2 && typeof value === "number") node[key] = value ^ (1 << below(16));
    else if (kind === 3) node[key] = node[keys[below(keys.length)] ?? key];
    else if (typeof value === "boolean") node[key] = !value;
    else node[key] = VALUES[below(VALUES.length)];
    return;
  }
}

/** Does what may be refused; whatever else is thrown goes through. */
function attempt(action: () => void): VirtioError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof VirtioError) return error;
    throw error;
  }
}

/** What a host and a driver do with a device; only the caller's own mistakes come out, and they are typed. */
function exercise(device: VirtioDevice, model: HoldingModel, below: (n: number) => number): void {
  device.notify(below(3));
  device.process(4);
  for (let slot = 0; slot < 8; slot++) {
    for (const generation of [1, 2]) {
      const mistake = attempt(() => model.complete(slot | (generation << 16), below(10)));
      expect(mistake?.code).not.toBe("INTERNAL");
    }
  }
  model.context?.finish(0);
  device.process(4);
  expect(device.status).toBeLessThan(256);
  for (const offset of [0, 4]) device.readConfig(offset, 2);
  device.configGeneration();
  if (device.save().phase === "suspended") device.writeStatus(device.status | 0x04);
  device.process(4);
  device.writeStatus(0);
  expect([device.status, device.phase, device.queueReady(0)]).toEqual([0, "reset", false]);
}
