// The open corners (policies.ts): each choice of each policy, what `strict` chooses, and that the transcript says who
// decided.
import { describe, expect, it } from "vitest";
import type { DevicePolicies, PolicyName } from "../../src/device/policies";
import { DEVICE_PROFILES } from "../../src/device/profiles";
import { driveTo, makeRig, type Rig } from "../control-rig";

const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;

/** What a corner comes to: what it leaves, and what the device says of it. */
interface Corner<K extends PolicyName> {
  /** Goes into the corner, and says what came of it. */
  readonly deed: (rig: Rig) => unknown;
  /** By choice: what came of it, and the codes of violations. */
  readonly outcomes: Readonly<Record<DevicePolicies[K], readonly [came: unknown, ...codes: string[]]>>;
}

const [offeredAll, offeredPlain] = [0x905, 0x1] as const;

const CORNERS: { readonly [K in PolicyName]: Corner<K> } = {
  unofferedBits: {
    deed: ({ device }) => {
      driveTo(device, 0x03);
      device.writeFeatures(1, 0x1 | 0x10000); // bit 48
      device.writeStatus(0x0b);
      return [device.status, device.accepted.bits()];
    },
    outcomes: { refuse: [[0x03, [32, 48]]], mask: [[0x0b, [32]]] },
  },
  retryAfterRefusal: {
    deed: ({ device }) => {
      driveTo(device, 0x03);
      device.writeStatus(0x0b);
      device.writeFeatures(1, offeredPlain);
      device.writeStatus(0x0b);
      return [device.status, device.negotiated?.bits()];
    },
    outcomes: { judge: [[0x0b, [32]]], refuse: [[0x03, undefined]] },
  },
  featuresAfterOk: {
    deed: ({ device }) => {
      driveTo(device, 0x0f, device.offered);
      device.writeFeatures(1, offeredAll ^ 4);
      device.writeFeatures(1, device.accepted.word(1)); // the same set once more is nothing
      return [device.status, device.negotiated?.equals(device.offered)];
    },
    outcomes: {
      ignore: [[0x0f, true], "FEATURES_FROZEN"],
      "needs-reset": [[0x4f, true], "FEATURES_FROZEN"],
    },
  },
  clearedStatusBit: {
    deed: ({ device }) => {
      driveTo(device, 0x0b, device.offered);
      device.writeStatus(0x0e); // ACKNOWLEDGE is gone, DRIVER_OK is new
      return device.status;
    },
    outcomes: {
      "refuse-write": [0x0b, "STATUS_CLEARED_BIT"],
      "keep-bit": [0x0f, "STATUS_CLEARED_BIT"],
      store: [0x0e, "STATUS_CLEARED_BIT"],
    },
  },
  severalStatusBits: {
    deed: ({ device, model }) => {
      driveTo(device, 0x00);
      device.writeStatus(0x03);
      device.writeFeatures(1, offeredPlain);
      device.writeStatus(0x0f);
      return [device.status, model.starts];
    },
    outcomes: {
      "refuse-write": [[0x00, 0], "STATUS_SEQUENCE", "STATUS_SEQUENCE", "STATUS_SEQUENCE"],
      "in-order": [[0x0f, 1]],
    },
  },
  refusedWrite: {
    // Of more than one bit only, so together with the policy that lets these through.
    deed: ({ device }) => {
      driveTo(device, 0x01);
      device.writeStatus(0x0b); // DRIVER and FEATURES_OK, with nothing accepted
      return device.status;
    },
    outcomes: { drop: [0x01], "keep-others": [0x03] },
  },
  earlyConfigWrite: {
    deed: ({ device, model }) => {
      driveTo(device, 0x03);
      device.writeConfig(0, 4, 9);
      return [device.readConfig(0, 4), model.written.length];
    },
    outcomes: { ignore: [[3, 0], "STATUS_SEQUENCE"], apply: [[9, 1]] },
  },
  earlyConfigNotice: {
    deed: ({ device, notifications }) => {
      driveTo(device, 0x0b, device.offered);
      device.configChanged();
      device.configChanged();
      const early = notifications.length;
      device.writeStatus(0x0f);
      return [early, notifications.length];
    },
    outcomes: { hold: [[0, 1]], drop: [[0, 0]] },
  },
};

const DEFAULTS: DevicePolicies = {
  unofferedBits: "refuse",
  retryAfterRefusal: "judge",
  featuresAfterOk: "ignore",
  clearedStatusBit: "refuse-write",
  severalStatusBits: "refuse-write",
  refusedWrite: "drop",
  earlyConfigWrite: "ignore",
  earlyConfigNotice: "hold",
};

const CASES = Object.entries(CORNERS).flatMap(([name, corner]) =>
  Object.entries(corner.outcomes).map(([choice, outcome]) => [name, choice, corner.deed, outcome] as const),
);

function rigWith(policies: Partial<Record<string, string>>): Rig {
  const { strict } = DEVICE_PROFILES;
  const profile = {
    ...strict,
    name: "corners",
    policies: { ...strict.policies, ...policies } as DevicePolicies,
  };
  return makeRig({ model: { config }, device: { profile } });
}

describe("policies", () => {
  it("strict chooses what harms nobody", () => {
    expect(DEVICE_PROFILES.strict.policies).toEqual(DEFAULTS);
    expect(Object.keys(CORNERS).sort()).toEqual(Object.keys(DEFAULTS).sort());
  });

  it.each(CASES)("%s: %s", (name, choice, deed, [came, ...codes]) => {
    const together = name === "refusedWrite" ? { severalStatusBits: "in-order" } : {};
    const rig = rigWith({ [name]: choice, ...together });
    expect(deed(rig)).toEqual(came);
    expect(rig.codes()).toEqual(codes);
  });

  it.each(CASES)("%s: %s is named in the transcript", (name, choice, deed) => {
    const together = name === "refusedWrite" ? { severalStatusBits: "in-order" } : {};
    const rig = rigWith({ [name]: choice, ...together });
    deed(rig);
    const used = rig.transcript.events.flatMap(({ policy }) => policy ?? []);
    expect(used).toContainEqual({ name, choice });
  });

  it("none is named where none decides", async () => {
    const rig = makeRig({ model: { config } });
    await rig.driver.initialize();
    rig.device.configChanged();
    await rig.driver.reset();
    expect(rig.transcript.events.flatMap(({ policy }) => policy ?? [])).toEqual([]);
  });

  it("the transcript's lines keep them", () => {
    const rig = rigWith({ featuresAfterOk: "needs-reset" });
    CORNERS.featuresAfterOk.deed(rig);
    const json = JSON.stringify(rig.transcript);
    expect(json).toContain('"policy":{"name":"featuresAfterOk","choice":"needs-reset"}');
  });
});

describe("clearedStatusBit store, on a suspended device", () => {
  it("resumes a driver that takes SUSPEND back itself, and starts the model once", () => {
    const profile = DEVICE_PROFILES.qemu;
    const rig = makeRig({ device: { profile }, offer: ["VERSION_1", "SUSPEND"] });
    driveTo(rig.device, 0x03);
    rig.device.writeFeatures(1, 0x801); // this word alone: words 2 and 3 would be taken for it
    for (const status of [0x0b, 0x0f]) rig.device.writeStatus(status);
    rig.device.writeStatus(0x1f);
    rig.device.process();
    expect([rig.device.phase, rig.device.status]).toEqual(["suspended", 0x1b]);
    rig.device.writeStatus(0x0f);
    rig.device.process();
    expect([rig.device.phase, rig.device.status, rig.model.starts]).toEqual(["live", 0x0f, 1]);
  });
});

describe("a transitional device", () => {
  it("agrees to no bit beyond the first word without VERSION_1 (§3.1.2)", () => {
    const rig = makeRig({ device: { profile: "transitional" } });
    driveTo(rig.device, 0x03);
    rig.device.writeFeatures(1, 4);
    rig.device.writeStatus(0x0b);
    expect([rig.device.status, rig.device.refusal]).toEqual([0x03, "RING_PACKED (34) needs VERSION_1 (32)"]);
  });
});
