// Names to bits and back, and the answer to a name that doesn't exist.
import { describe, expect, it } from "vitest";
import { featureBit, featureName, fullFeatureName, isUsable } from "../../src/negotiation/feature-names";
import { type DeviceType, FEATURES, RESERVED_FEATURES } from "../../src/negotiation/feature-table";
import * as reserved from "../../src/spec/features";

const types = Object.keys(FEATURES) as DeviceType[];

describe("feature names", () => {
  it("knows every reserved constant of src/spec, with and without the prefix", () => {
    for (const [name, bit] of Object.entries(reserved)) {
      expect(featureBit(name)).toBe(bit);
      expect(featureBit(name.slice("VIRTIO_F_".length))).toBe(bit);
      expect(fullFeatureName(bit)).toBe(name);
    }
    expect(RESERVED_FEATURES).toHaveLength(Object.keys(reserved).length);
  });

  it.each(types)("reads every name of %s back", (type) => {
    const bits = FEATURES[type].rows.map(([bit]) => bit);
    expect(new Set(bits).size).toBe(bits.length);
    for (const [bit, name, rule] of FEATURES[type].rows as readonly (readonly [
      number,
      string,
      { legacy?: true }?,
    ])[]) {
      expect(featureBit(name, type)).toBe(bit);
      expect(featureBit(FEATURES[type].prefix + name)).toBe(bit);
      if (!rule?.legacy) expect(featureName(bit, type)).toBe(name);
    }
  });

  it("accepts older spellings, any case, numbers", () => {
    expect(featureBit("virtio_ring_f_event_idx")).toBe(29);
    expect(featureBit("VIRTIO_F_IOMMU_PLATFORM")).toBe(33);
    expect(featureBit(" ring_packed ")).toBe(34);
    expect(featureBit("34")).toBe(34);
    expect(featureBit("bit 44")).toBe(44);
  });

  it.each([
    ["RING_PAKED", "RING_PACKED"],
    ["EVENTIDX", "EVENT_IDX"],
    ["VIRTIO_F_VERSION1", "VIRTIO_F_VERSION_1"],
    ["VIRTIO_NET_F_MTV", "VIRTIO_NET_F_MTU"],
  ])("answers %s with %s", (wrong, right) => {
    expect(() => featureBit(wrong)).toThrow(
      expect.objectContaining({
        code: "UNKNOWN_NAME",
        message: expect.stringContaining(`did you mean ${right}?`),
      }),
    );
  });

  it("takes short device names only for their device type", () => {
    expect(featureBit("MTU", "net")).toBe(3);
    expect(() => featureBit("MTU", "blk")).toThrow(expect.objectContaining({ code: "UNKNOWN_NAME" }));
  });

  it("gives bit 41 its modern meaning first", () => {
    expect(featureName(41, "net")).toBe("ADMIN_VQ");
    expect(featureBit("GUEST_RSC4", "net")).toBe(41);
  });

  it("knows which bits a modern pair may use on which transport", () => {
    expect(isUsable(30)).toBe(false);
    expect(isUsable(24)).toBe(false);
    expect(isUsable(44)).toBe(false);
    expect(isUsable(4, "net")).toBe(false);
    expect(isUsable(4)).toBe(true);
    expect(isUsable(39, "net", "mmio")).toBe(false);
    expect(isUsable(39, "net", "pci")).toBe(true);
    expect(isUsable(40, "net", "ccw")).toBe(false);
  });
});
