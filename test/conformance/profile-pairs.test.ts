// Every driver profile on every device profile, with each of the 128 subsets of the ring's features: a working ring of
// the layout that follows from what both know, or the refusal that the two profiles predict.
import { describe, expect, it } from "vitest";
import { DEVICE_PROFILES } from "../../src/device/profiles";
import { DRIVER_PROFILES } from "../../src/driver/profiles";
import { makeRig, roundTrips } from "../control-rig";

const RING = [
  "INDIRECT_DESC",
  "EVENT_IDX",
  "RING_PACKED",
  "IN_ORDER",
  "NOTIFICATION_DATA",
  "RING_RESET",
  "SUSPEND",
] as const;
const SUBSETS = Array.from({ length: 1 << RING.length }, (_, subset) =>
  RING.filter((__, i) => ((subset >>> i) & 1) === 1),
);

/** What each device profile offers of them (state-machine.md §5; the QEMU of the table is 7.2). */
const OFFERS: Readonly<Record<keyof typeof DEVICE_PROFILES, readonly string[]>> = {
  strict: RING,
  transitional: RING,
  vdpa: RING,
  "vhost-backed": RING,
  propolis: RING,
  "cloud-hypervisor": RING,
  qemu: ["INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "RING_RESET"],
  "qemu-mmio": ["INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "RING_RESET"],
};
/** Those that know legacy drivers. */
const TRANSITIONAL = ["transitional", "vdpa", "qemu", "qemu-mmio"];
/** Bits that one feature word holds. */
const LEGACY_BITS = ["INDIRECT_DESC", "EVENT_IDX"];

interface Prediction {
  /** What is agreed, or undefined for a refusal. */
  readonly features: readonly string[] | undefined;
  readonly status: number;
  /** How the driver puts it, where it is refused. */
  readonly code?: string;
}

/** What must come of a pair, from the descriptions of the two profiles alone. */
function predict(driver: string, device: string, supports: readonly string[]): Prediction {
  const common = supports.filter((name) =>
    (OFFERS as Record<string, readonly string[]>)[device]?.includes(name),
  );
  if (driver === "legacy") {
    // It sees no VERSION_1 and writes no FEATURES_OK: a modern-only device lets it enable no queue.
    if (!TRANSITIONAL.includes(device)) {
      return { features: undefined, status: 0x83, code: "QUEUE_NOT_READY" };
    }
    // Modern MMIO of QEMU has no features in force without FEATURES_OK.
    const inForce = device === "qemu-mmio" ? [] : common.filter((name) => LEGACY_BITS.includes(name));
    return { features: inForce, status: 0x07 };
  }
  if (driver === "misbehaving") {
    // Of its misdeeds two can end an initialisation: the queue that is set up before anything is accepted, which to
    // these is a legacy driver's first use, so that VERSION_1 comes too late …
    if (["transitional", "qemu", "qemu-mmio"].includes(device)) {
      return { features: undefined, status: 0x83, code: "FEATURES_REFUSED" };
    }
    // … and another set after FEATURES_OK, which this one does not survive: it enables no queue any more.
    if (device === "propolis") return { features: undefined, status: 0xcb, code: "QUEUE_NOT_READY" };
  }
  return { features: ["VERSION_1", ...common], status: 0x0f };
}

const PAIRS = Object.keys(DRIVER_PROFILES).flatMap((driver) =>
  Object.keys(DEVICE_PROFILES).map((device) => [driver, device] as const),
);

describe("driver profile × device profile × ring features", () => {
  it("there is a prediction for every pair", () => {
    expect(Object.keys(OFFERS).sort()).toEqual(Object.keys(DEVICE_PROFILES).sort());
    expect([PAIRS.length, SUBSETS.length]).toEqual([64, 128]);
  });

  it.each(PAIRS)("%s on %s: all 128", async (driver, device) => {
    const rig = makeRig({
      device: { profile: device },
      driver: { profile: driver, queueSize: 4 },
      model: { queues: [{ name: "q", maxSize: 4 }] },
    });
    for (const subset of SUBSETS) {
      const result = await rig.driver.initialize({ supports: ["VERSION_1", ...subset] });
      const { features, status, code } = predict(driver, device, subset);
      expect(rig.device.status, `${subset}: ${JSON.stringify(result)}`).toBe(status);
      if (features === undefined) {
        expect(result).toMatchObject({ ok: false, code });
        continue;
      }
      expect(result).toMatchObject({ ok: true });
      const isDeaf = device === "qemu-mmio" && driver === "legacy"; // the driver can't know that nothing is in force
      for (const side of isDeaf ? [rig.device] : [rig.driver, rig.device]) {
        expect(new Set(side.negotiated?.names())).toEqual(new Set(features));
        const { ring } = side;
        expect(ring?.layout).toBe(features.includes("RING_PACKED") ? "packed" : "split");
        expect([ring?.eventIdx, ring?.indirect, ring?.inOrder, ring?.notificationData]).toEqual(
          ["EVENT_IDX", "INDIRECT_DESC", "IN_ORDER", "NOTIFICATION_DATA"].map((name) =>
            features.includes(name),
          ),
        );
      }
      if (!isDeaf || rig.driver.negotiated?.isEmpty) roundTrips(rig, 5); // more than the ring holds
    }
  });
});
