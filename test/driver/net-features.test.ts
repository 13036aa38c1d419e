// What the network driver checks before and after FEATURES_OK, as Linux's does (§5.1.3.1, §5.1.4).
import { describe, expect, it } from "vitest";
import { configFields } from "../../src/device/model";
import type { ValidateContext } from "../../src/driver/initialisation";
import { netProbe, netValidate } from "../../src/driver/net-features";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { makeRig, refusal, started } from "../control-rig";

describe("netValidate", () => {
  const context = (accepted: readonly string[], mtu = 1500): ValidateContext => ({
    offered: FeatureSet.from(accepted, "net"),
    accepted: FeatureSet.from(accepted, "net"),
    readConfigField: async () => mtu,
    readConfigFields: async () => [mtu],
  });

  it.each([
    "CTRL_RX",
    "CTRL_VLAN",
    "GUEST_ANNOUNCE",
    "MQ",
    "CTRL_MAC_ADDR",
    "RSS",
    "HASH_REPORT",
    "NOTF_COAL",
  ])("gives up on %s without CTRL_VQ", async (name) => {
    const text = `the device offers ${name} without CTRL_VQ`;
    await expect(netValidate(context([name]))).rejects.toMatchObject({
      code: "FEATURES_REFUSED",
      message: text,
    });
    expect(await netValidate(context([name, "CTRL_VQ"]))).toEqual([]);
  });

  it.each<[readonly string[], number, readonly string[]]>([
    [["MTU"], 67, ["MTU"]],
    [["MTU"], 68, []],
    [["MAC"], 0, []],
    [["STANDBY"], 0, ["STANDBY"]],
    [["STANDBY", "MAC"], 0, []],
  ])("with %j and an mtu of %i drops %j", async (accepted, mtu, drops) => {
    expect(await netValidate(context(accepted, mtu))).toEqual(drops);
  });

  /** A device whose mtu is what a test says at each moment. */
  function moody(mtu: () => number) {
    const config = configFields("net", { mtu });
    const queues = ["receiveq1", "transmitq1"].map((name) => ({ name, maxSize: 16 }));
    const options = { deviceId: 1, deviceType: "net", queues, offers: ["MTU"], config } as const;
    return makeRig({
      model: options,
      supports: ["VERSION_1", "MTU"],
      driver: { validate: netValidate, probe: netProbe },
    });
  }
  let rig = moody(() => 1500);

  it("has a small MTU dropped before FEATURES_OK", async () => {
    rig = moody(() => 60);
    await started(rig);
    expect(rig.driver.hasFeature("MTU")).toBe(false);
  });

  it("netProbe gives up when mtu became small after FEATURES_OK", async () => {
    rig = moody(() => (rig.driver.negotiated === undefined ? 1500 : 67));
    expect(refusal(await rig.driver.initialize())).toEqual({
      ok: false,
      code: "CONFIG_UNSTABLE",
      reason: "mtu 67 is below 68: it was not before FEATURES_OK",
    });
    rig = moody(() => 1500);
    await started(rig);
    expect(rig.driver.hasFeature("MTU")).toBe(true);
  });
});
