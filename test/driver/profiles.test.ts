// The driver profiles (state-machine.md §4): each one's accesses to the registers, one by one and in order, what the
// device sees in between, and what a strict device says to each misdeed.
import { describe, expect, it } from "vitest";
import { configFields } from "../../src/device/model";
import { DEVICE_PROFILES } from "../../src/device/profiles";
import { MISDEEDS, type Misdeed } from "../../src/driver/misdeed-table";
import { DRIVER_PROFILES, type DriverProfile, driverProfile } from "../../src/driver/profiles";
import { makeRig, type Rig, type RigOptions, roundTrips, started } from "../control-rig";

/** A net device with an mtu that is too small, and a driver that looks at it and then does without MTU. */
function net(profile: string, transport: string, more: RigOptions = {}): Rig {
  return makeRig({
    ...more,
    model: {
      deviceType: "net",
      deviceId: 1,
      offers: ["MTU", "MAC"],
      config: configFields("net", { mtu: 60 }),
    },
    offer: ["VERSION_1", "EVENT_IDX"],
    supports: ["VERSION_1", "MTU", "MAC"],
    driver: {
      profile,
      validate: async ({ readConfigField }) => (Number(await readConfigField("mtu")) < 68 ? ["MTU"] : []),
      ...more.driver,
    },
    device: { profile: DEVICE_PROFILES.transitional, ...more.device },
    loopback: { transport },
  });
}

/** A log as words: "status?" is a read, "status=0b" a write, "accept 1=1" word 1 of the accepted features. */
function words(rig: Rig): string[] {
  return rig.port.log.map(([name, first, second]) => {
    const hex = (value: unknown) => Number(value).toString(16);
    if (name === "readStatus") return "status?";
    if (name === "writeStatus") return `status=${hex(first)}`;
    if (name === "readDeviceFeatures") return `offer ${first}`;
    if (name === "writeDriverFeatures") return `accept ${first}=${hex(second)}`;
    if (name === "readConfig") return `config ${first}:${second}`;
    return `${name} ${first}`;
  });
}

const OPENING = ["status=0", "status?", "status?", "status=1", "status?", "status=3"];
const OFFER = ["offer 0", "offer 1", "offer 2", "offer 3"];
const MTU = ["config 10:2"];
const QUEUES = ["queueMaxSize 0", "enableQueue 0", "queueReady 0", "queueMaxSize 1"];
const CONFIRM = ["status?", "status=b", "status?"];
const ENDING = [...CONFIRM, ...QUEUES, "status?", "status=f"];
/** MTU is bit 3, MAC bit 5, VERSION_1 bit 0 of word 1. */
const UP = {
  all: ["accept 0=28", "accept 1=1"],
  less: ["accept 0=20", "accept 1=1"],
  v1: ["accept 0=0", "accept 1=1"],
};
const DOWN = { all: [...UP.all].reverse(), less: [...UP.less].reverse(), v1: [...UP.v1].reverse() };

/** Between OPENING and ENDING, on a little-endian guest. */
const SEQUENCES: readonly [profile: string, transport: string, sequence: readonly string[]][] = (
  [
    ["pci", UP],
    ["ccw", UP],
    ["mmio", DOWN],
  ] as const
).flatMap(([transport, accept]): [string, string, readonly string[]][] => [
  ["linux-current", transport, [...OFFER, ...accept.all, ...MTU, ...accept.less]],
  ["linux-validate-first", transport, [...OFFER, ...MTU, ...accept.less]],
  ["linux-version1-only", transport, [...OFFER, ...MTU, ...accept.less]],
  ["linux-pre-validate", transport, [...OFFER, ...accept.all]],
  // The text names no order of the words.
  ["spec-1.4-naive", transport, [...OFFER, ...MTU, ...UP.less]],
  ["seed-241", transport, [...OFFER, ...UP.all, ...MTU, ...UP.less, ...MTU]],
]);

describe("the accesses of a driver", () => {
  it.each(SEQUENCES)("%s over %s", async (profile, transport, sequence) => {
    const rig = await started(net(profile, transport));
    expect(words(rig)).toEqual([...OPENING, ...sequence, ...ENDING]);
    expect(rig.device.negotiated?.names("net")).toEqual(
      profile === "linux-pre-validate" ? ["MTU", "MAC", "VERSION_1"] : ["MAC", "VERSION_1"],
    );
    expect(rig.codes()).toEqual([]);
    roundTrips(rig);
  });

  it.each([
    ["pci", UP],
    ["mmio", DOWN],
  ] as const)(
    "linux-version1-only over %s on a big-endian guest: VERSION_1 alone comes first",
    async (transport, accept) => {
      const big = { driver: { byteOrder: "big" }, device: { byteOrder: "big" } } as const;
      const rig = await started(net("linux-version1-only", transport, big));
      expect(words(rig)).toEqual([...OPENING, ...OFFER, ...accept.v1, ...MTU, ...accept.less, ...ENDING]);
      // Not for a driver that looks at nothing, nor on a device that doesn't offer it.
      const blind = makeRig({ driver: { profile: "linux-version1-only", byteOrder: "big" } });
      await started(blind);
      expect(words(blind).filter((word) => word.startsWith("accept"))).toEqual(["accept 0=0", "accept 1=1"]);
    },
  );

  it.each(["pci", "mmio"])("legacy over %s: one word, no FEATURES_OK", async (transport) => {
    const rig = await started(net("legacy", transport));
    const rest = ["offer 0", "accept 0=28", ...MTU, "accept 0=20", ...QUEUES, "status?", "status=7"];
    expect(words(rig)).toEqual([...OPENING, ...rest]);
    roundTrips(rig);
  });

  it("every profile is in a table", () => {
    const tested = new Set([...SEQUENCES.map(([profile]) => profile), "legacy", "misbehaving"]);
    expect(tested).toEqual(new Set(Object.keys(DRIVER_PROFILES)));
  });

  it.each([
    [
      "pci",
      [
        ["MTU", "MAC"],
        ["MTU", "MAC", "VERSION_1"],
        ["MAC", "VERSION_1"],
        ["MAC", "VERSION_1"],
      ],
    ],
    ["mmio", [["VERSION_1"], ["MTU", "MAC", "VERSION_1"], ["MTU", "MAC", "VERSION_1"], ["MAC", "VERSION_1"]]],
  ] as const)("linux-current over %s: the device sees half-new sets", async (transport, seen) => {
    const rig = await started(net("linux-current", transport));
    const sets = rig.transcript.events
      .filter(({ side, access }) => side === "device" && access?.register === "driver-features")
      .map(({ sets }) => sets?.accepted);
    expect(sets).toEqual(seen);
  });

  it("a misspelt profile or misdeed is answered with the nearest", () => {
    expect(() => driverProfile("seed-214")).toThrow(/did you mean seed-241\?/);
    expect(() => driverProfile("misbehaving:kick-early")).toThrow(/did you mean kicks-early\?/);
  });
});

const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;
const layout = [{ ...config[0], writable: "after-features-ok" }] as const;

/** One misdeed on a strict device whose model refuses a set without EVENT_IDX. */
function misdeed(name: string, drops: readonly string[] = [], more: RigOptions = {}): Rig {
  return makeRig({
    ...more,
    model: {
      config,
      validate: (accepted) => (accepted.has("EVENT_IDX") ? undefined : "not without EVENT_IDX"),
    },
    offer: ["VERSION_1", "EVENT_IDX"],
    supports: ["VERSION_1", "EVENT_IDX"],
    driver: { profile: name, configLayout: layout, validate: () => drops },
  });
}

/** What the strict device reports, how the driver ends, and at which status. */
const ON_STRICT: Readonly<
  Record<Misdeed, readonly [drops: readonly string[], codes: readonly string[], end: string, status: number]>
> = {
  "writes-config-early": [[], ["STATUS_SEQUENCE"], "ok", 0x0f],
  "clears-status-bit": [[], ["STATUS_CLEARED_BIT"], "ok", 0x0f],
  "sets-up-queues-early": [[], ["STATUS_SEQUENCE"], "ok", 0x0f],
  "accepts-unoffered": [[], [], "FEATURES_REFUSED", 0x83],
  "ignores-refusal": [["EVENT_IDX"], ["STATUS_SEQUENCE"], "QUEUE_NOT_READY", 0x83],
  "retries-without-reset": [["EVENT_IDX"], [], "ok", 0x0f],
  "accepts-late": [[], ["FEATURES_FROZEN"], "ok", 0x0f],
  "repeats-features-ok": [[], [], "ok", 0x0f],
  "kicks-early": [[], [], "ok", 0x0f],
};

describe("a misbehaving driver on a strict device", () => {
  it.each(Object.entries(ON_STRICT))("%s", async (name, [drops, codes, end, status]) => {
    const rig = misdeed(`misbehaving:${name}`, drops);
    const result = await rig.driver.initialize();
    expect([rig.codes(), result.ok ? "ok" : result.code, rig.device.status]).toEqual([codes, end, status]);
    expect(rig.transcript.toText({ width: 160 })).toContain("on purpose: ");
    if (!result.ok) return;
    // Nothing came of it.
    expect([rig.device.readConfig(0, 4), rig.model.written, rig.model.taken]).toEqual([3, [], []]);
    expect(rig.device.negotiated?.names()).toEqual(["EVENT_IDX", "VERSION_1"]);
    roundTrips(rig, 20);
  });

  it("has a row for every misdeed", () => {
    expect(Object.keys(ON_STRICT).sort()).toEqual(Object.keys(MISDEEDS).sort());
    for (const [name, { ends }] of Object.entries(MISDEEDS) as [Misdeed, { ends?: true }][]) {
      // "ends" is said of a device that refuses; a retry is let through where the policy is to judge it anew.
      if (name !== "retries-without-reset")
        expect([name, ON_STRICT[name][2] !== "ok"]).toEqual([name, ends === true]);
    }
  });

  it("a retry without a reset is refused where that is the policy", async () => {
    const { strict } = DEVICE_PROFILES;
    const profile = { ...strict, policies: { ...strict.policies, retryAfterRefusal: "refuse" } } as const;
    const rig = misdeed("misbehaving:retries-without-reset", ["EVENT_IDX"], { device: { profile } });
    expect(await rig.driver.initialize()).toMatchObject({ ok: false, code: "FEATURES_REFUSED" });
    expect(rig.device.status).toBe(0x83);
    expect(await rig.driver.initialize()).toMatchObject({ ok: false }); // the same again after a reset
    expect(rig.device.refusal).toBe("it was refused before and the device not reset since");
  });

  it("a proper refusal still stops one that would only go wrong after it", async () => {
    const rig = misdeed("misbehaving:accepts-late", ["EVENT_IDX"]);
    expect(await rig.driver.initialize()).toMatchObject({ ok: false, code: "FEATURES_REFUSED" });
    expect(rig.codes()).toEqual([]);
  });

  it("all that don't end it, in one initialisation", async () => {
    const rig = misdeed("misbehaving");
    expect(await rig.driver.initialize()).toMatchObject({ ok: true });
    expect(rig.codes()).toEqual([
      "STATUS_CLEARED_BIT",
      "STATUS_SEQUENCE",
      "STATUS_SEQUENCE",
      "FEATURES_FROZEN",
    ]);
    roundTrips(rig, 20);
  });

  it("leaves what it is not about as linux-current has it", async () => {
    const { steps } = DRIVER_PROFILES["linux-current"];
    for (const name of Object.keys(MISDEEDS) as Misdeed[]) {
      const profile: DriverProfile = driverProfile(`misbehaving:${name}`);
      const { step, insteadOf } = MISDEEDS[name] as { step: string; insteadOf?: string };
      expect(profile.steps.filter((own) => own !== step)).toEqual(steps.filter((own) => own !== insteadOf));
    }
  });
});
