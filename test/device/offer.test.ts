// What a device may offer, judged when it is made (§2.2.2), and profiles as data.
import { describe, expect, it } from "vitest";
import { CAREFUL } from "../../src/device/policies";
import { deviceProfile } from "../../src/device/profiles";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, makeRig } from "../control-rig";

const offerOf = (offer: (string | number)[], offers: (string | number)[] = []) =>
  makeRig({ offer, model: { deviceType: "net", offers } }).device.offered.names("net");

describe("an offer", () => {
  it("is the model's features and the given reserved ones", () => {
    expect(offerOf(["VERSION_1", "RING_PACKED"], ["MTU"])).toEqual(["MTU", "VERSION_1", "RING_PACKED"]);
    expect(makeRig().device.offered.names()).toEqual([
      "INDIRECT_DESC",
      "EVENT_IDX",
      "VERSION_1",
      "RING_PACKED",
      "IN_ORDER",
      "NOTIFICATION_DATA",
      "RING_RESET",
      "SUSPEND",
    ]);
  });

  it.each([
    [["VERSION_1"], ["MQ"], "MQ (22) needs CTRL_VQ (17)"],
    [["VERSION_1"], ["GUEST_ECN"], "GUEST_ECN (9) needs GUEST_TSO4 (7) or GUEST_TSO6 (8)"],
    [["RING_PACKED"], [], "VERSION_1 (32) must be offered"],
    [["VERSION_1", 44], [], "bit 44 could not be kept"],
    [["VERSION_1", 30], [], "UNUSED (30) could not be kept"],
    [["VERSION_1", "NOTIFY_ON_EMPTY"], [], "NOTIFY_ON_EMPTY (24) could not be kept"],
    [["VERSION_1", "ADMIN_VQ"], [], "ADMIN_VQ (41) could not be kept"],
    [["VERSION_1", "SR_IOV"], [], "SR_IOV (37) could not be kept"],
    [["VERSION_1"], [4], "bit 4 could not be kept"],
  ])("of %j and %j is refused: %s", (offer, offers, reason) => {
    expect(() => offerOf(offer, offers)).toThrow(
      expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(reason) }),
    );
  });

  it("holds any device-type bit of a device type that has no table", () => {
    expect(
      makeRig({ model: { offers: [0, 23, 50, 127] }, offer: ["VERSION_1"] }).device.offered.bits(),
    ).toEqual([0, 23, 32, 50, 127]);
    expect(() => makeRig({ model: { offers: [24] } })).toThrow();
  });

  it("answers an unknown name with the nearest", () => {
    expect(() => makeRig({ offer: ["RING_PACKT"] })).toThrow(
      expect.objectContaining({ code: "UNKNOWN_NAME" }),
    );
    expect(() => deviceProfile("strikt")).toThrow(/did you mean strict\?/);
  });
});

describe("a device profile", () => {
  const lenient = {
    ...deviceProfile("strict"),
    name: "lenient",
    mustAccept: [],
    policies: {
      ...CAREFUL,
      unofferedBits: "mask",
      featuresAfterOk: "needs-reset",
      retryAfterRefusal: "refuse",
    },
  } as const;

  it("is an object literal: bits masked, VERSION_1 not insisted on, features frozen the hard way", () => {
    const { device, codes } = makeRig({ device: { profile: lenient }, offer: ["VERSION_1"] });
    driveTo(device, 0x0b, FeatureSet.of("RING_PACKED"));
    expect(device.negotiated?.isEmpty).toBe(true);
    expect(device.ring?.layout).toBe("split");
    device.writeFeatures(1, 1);
    expect(device.status).toBe(0x4b);
    expect(codes()).toEqual(["FEATURES_FROZEN"]);
  });

  it("can refuse a second attempt without a reset", () => {
    const profile = { ...lenient, mustAccept: ["VERSION_1"] };
    const { device } = makeRig({ device: { profile } });
    driveTo(device, 0x03);
    device.writeStatus(0x0b);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    expect(device.status).toBe(0x03);
    expect(device.refusal).toBe("it was refused before and the device not reset since");
    driveTo(device, 0x0b, FeatureSet.of("VERSION_1"));
  });
});
