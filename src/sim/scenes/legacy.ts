/** Scenes with drivers from before virtio 1.0, and with what is mistaken for one (§2.2.3, §3.1.2). */
import { LEGACY_DETECTIONS } from "../../device/legacy";
import { DEVICE_PROFILES } from "../../device/profiles";
import { NET_DRIVER_FEATURES } from "../../driver/net-features";
import { EchoModel } from "../../models/echo";
import { NetModel } from "../../models/net";
import type { Scene, Stage } from "../scene";
import { echo } from "./traffic";

const legacyDriver: Scene = {
  name: "legacy-driver",
  summary: "a legacy driver, without FEATURES_OK, on a transitional device",
  ending:
    "features are final at its first use, the split ring lies in one run of pages, and data goes through",
  async play(stage) {
    const pair = stage.pair({
      model: new EchoModel(),
      deviceProfile: "transitional",
      driverProfile: "legacy",
      transport: { transport: "pci", window: "legacy" },
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("taken for a legacy driver", pair.device.isLegacy, true);
    stage.check("status, without FEATURES_OK", pair.device.status, 7);
    stage.check("layout", pair.device.ring?.layout, "split");
    stage.check("chains", await echo(pair), "8 of 8");
  },
};

const refused: Scene = {
  name: "legacy-driver-refused",
  summary: "a legacy driver on a device that knows no legacy interface",
  ending: "its queues are refused without FEATURES_OK, and it gives up",
  findings: ["INIT-009", "SEED241-005"],
  async play(stage) {
    const pair = stage.pair({ model: new EchoModel(), driverProfile: "legacy" });
    stage.check("ok", (await pair.driver.initialize()).ok, false);
    stage.check("status", pair.device.status, 0x83);
  },
};

const MODERN = ["VERSION_1", "RING_PACKED"];

const mistaken: Scene = {
  name: "legacy-detection",
  summary:
    "on a big-endian guest a modern driver reads mtu before it accepts; four ways to tell a legacy driver answer",
  ending:
    "VERSION_1 not accepted can mean not accepted yet: by-version1-accepted and by-first-access take the driver for a legacy one and " +
    "show 1500 the wrong way round, 56325; the others are right, and so is everybody when the driver accepts first",
  findings: ["SEED241-007", "SEED241-010"],
  async play(stage) {
    for (const detection of Object.values(LEGACY_DETECTIONS)) {
      const { name } = detection;
      const isWrong = name === "by-version1-accepted" || name === "by-first-access";
      stage.check(
        `${name}, reads first`,
        await seenMtu(stage, name, "linux-validate-first"),
        isWrong ? 56325 : 1500,
      );
      stage.check(`${name}, VERSION_1 first`, await seenMtu(stage, name, "linux-version1-only"), 1500);
      stage.check(`${name}, accepts first`, await seenMtu(stage, name, "linux-current"), 1500);
    }
  },
};

async function seenMtu(
  stage: Stage,
  name: keyof typeof LEGACY_DETECTIONS,
  driverProfile: string,
): Promise<unknown> {
  let seen: unknown;
  const pair = stage.pair({
    model: new NetModel({ mtu: 1500 }),
    label: `${name}, ${driverProfile}`,
    offer: MODERN,
    accept: [...MODERN, ...NET_DRIVER_FEATURES],
    deviceProfile: { ...DEVICE_PROFILES.transitional, legacy: LEGACY_DETECTIONS[name] },
    driverProfile,
    byteOrder: "big",
    transport: { window: "modern", versionRegister: 2 },
    validate: async (context) => {
      seen = await context.readConfigField("mtu");
      return [];
    },
  });
  await pair.driver.initialize();
  pair.device.dispose();
  return seen;
}

/** In the order in which they are best read. */
export const LEGACY_SCENES: readonly Scene[] = [legacyDriver, refused, mistaken];
