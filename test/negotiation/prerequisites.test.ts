// The dependency table, judged in the offer and in the accepted set (§2.2.1, §2.2.2, §5.1.3.1, §5.2.5).
import { describe, expect, it } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { type DeviceType, FEATURES, type FeatureRow } from "../../src/negotiation/feature-table";
import {
  dropUnmet,
  missingAdvice,
  missingPrerequisites,
  usableBits,
} from "../../src/negotiation/prerequisites";

const texts = (names: string[], type: DeviceType, purpose?: "accept" | "offer") =>
  missingPrerequisites(FeatureSet.from(names, type), type, purpose).map(({ text }) => text);

describe("missingPrerequisites", () => {
  it("names both bits", () => {
    expect(texts(["MQ"], "net")).toEqual(["MQ (22) needs CTRL_VQ (17)"]);
    expect(texts(["MQ", "CTRL_VQ"], "net")).toEqual([]);
  });

  it("takes any of a group", () => {
    expect(texts(["GUEST_ECN"], "net")).toEqual(["GUEST_ECN (9) needs GUEST_TSO4 (7) or GUEST_TSO6 (8)"]);
    expect(texts(["GUEST_ECN", "GUEST_TSO6", "GUEST_CSUM"], "net")).toEqual([]);
  });

  it("asks for both kinds at once", () => {
    expect(texts(["HASH_TUNNEL"], "net")).toEqual([
      "HASH_TUNNEL (51) needs CTRL_VQ (17)",
      "HASH_TUNNEL (51) needs RSS (60) or HASH_REPORT (57)",
    ]);
  });

  it("asks more of an offer than of an accepted set (CONFIG_WCE beside FLUSH)", () => {
    expect(texts(["CONFIG_WCE"], "blk")).toEqual([]);
    expect(texts(["CONFIG_WCE"], "blk", "offer")).toEqual(["CONFIG_WCE (11) needs FLUSH (9)"]);
  });

  it("only warns where the text says SHOULD NOT", () => {
    expect(texts(["HASH_REPORT", "CTRL_RX_EXTRA"], "net")).toEqual([]);
    const advice = missingAdvice(FeatureSet.from(["HASH_REPORT", "CTRL_RX_EXTRA"], "net"), "net");
    expect(advice.map(({ bit }) => bit)).toEqual([20, 57]);
  });

  it("has rules only about bits of the same table", () => {
    for (const type of Object.keys(FEATURES) as DeviceType[]) {
      const rows: readonly FeatureRow[] = FEATURES[type].rows;
      const names = new Set(rows.map(([, name]) => name));
      for (const [, , rule] of rows) {
        const named = [rule?.requires, rule?.offerRequires, rule?.advises, ...(rule?.requiresAny ?? [])];
        for (const name of named.flatMap((group) => group ?? [])) expect(names).toContain(name);
      }
    }
  });
});

describe("what a driver leaves out", () => {
  it("drops a chain of prerequisites to its end", () => {
    const set = FeatureSet.from(["GUEST_UDP_TUNNEL_GSO_CSUM", "GUEST_UDP_TUNNEL_GSO", "MTU"], "net");
    expect(dropUnmet(set, "net").names("net")).toEqual(["MTU"]);
  });

  it("drops undocumented, legacy and foreign-transport bits", () => {
    const set = FeatureSet.from(["MTU", "VERSION_1", "NOTIF_CONFIG_DATA", 4, 24, 30, 44, 120], "net");
    expect(usableBits(set, "net", "mmio").names("net")).toEqual(["MTU", "VERSION_1"]);
    expect(usableBits(set, "net", "pci").names("net")).toEqual(["MTU", "VERSION_1", "NOTIF_CONFIG_DATA"]);
  });
});
