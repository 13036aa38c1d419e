/** Scenes with a network device, whose mtu hangs on a feature (§5.1.4, patch for issue 241). */
import { configFields } from "../../device/model";
import { NET_DRIVER_FEATURES, netValidate } from "../../driver/net-features";
import { NetModel } from "../../models/net";
import { loopWire } from "../../models/net-wire";
import type { Scene, Stage } from "../scene";
import { frames } from "./traffic";

const RING = ["VERSION_1", "EVENT_IDX", "RING_PACKED"];
const ACCEPT = [...RING, ...NET_DRIVER_FEATURES];

function netModel(mtu = 1500): NetModel {
  const model = new NetModel({ mtu, mac: "52:54:00:12:34:56" });
  loopWire(model);
  return model;
}

/** A device that breaks §5.1.4.1 and says 60. */
function tinyMtu(): NetModel {
  const model = netModel();
  return Object.defineProperty(model, "config", { value: configFields("net", { mtu: 60 }) });
}

const fiveSteps: Scene = {
  name: "linux-five-steps",
  summary:
    "Linux: intersect, accept, validate against the configuration, accept again if changed, FEATURES_OK",
  ending: "mtu is read after MTU was accepted, nothing is dropped, and frames go through a packed ring",
  async play(stage) {
    const pair = stage.pair({ model: netModel(), offer: RING, accept: ACCEPT, validate: netValidate });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("steps", accesses(stage), "read offer, accept, read mtu, FEATURES_OK");
    stage.check("layout", pair.device.ring?.layout, "packed");
    stage.check("frames", await frames(pair), "8 of 8");
  },
};

const mtu60: Scene = {
  name: "net-mtu-60",
  summary: "the device says mtu 60, which no IPv4 host can live with: the driver drops MTU and accepts again",
  ending: "a different subset without MTU is accepted and negotiated, and frames go through",
  async play(stage) {
    const pair = stage.pair({ model: tinyMtu(), offer: RING, accept: ACCEPT, validate: netValidate });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("steps", accesses(stage), "read offer, accept, read mtu, accept, FEATURES_OK");
    stage.check("MTU offered", pair.device.offered.has("MTU", "net"), true);
    stage.check("MTU negotiated", pair.device.negotiated?.has("MTU", "net"), false);
    stage.check("frames", await frames(pair), "8 of 8");
  },
};

const readsFirst: Scene = {
  name: "config-read-first",
  summary: "the driver reads mtu before it has accepted MTU, as Linux did for a while",
  ending: "the device answers 1500 all the same: devices cope, and the lint reports a SHOULD",
  findings: ["SEED241-007", "SEED241-010"],
  async play(stage) {
    let seen: unknown;
    const pair = stage.pair({
      model: netModel(),
      offer: RING,
      accept: ACCEPT,
      driverProfile: "linux-validate-first",
      validate: async (context) => {
        seen = await context.readConfigField("mtu");
        return [];
      },
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("mtu", seen, 1500);
    stage.check("frames", await frames(pair), "8 of 8");
  },
};

const repeats: Scene = {
  name: "accept-and-repeat",
  summary: "the driver of the patch: accepts, reads, accepts less, and repeats until nothing changes",
  ending: "the last accepted subset is the negotiated one",
  findings: ["RESERVED-006"],
  async play(stage) {
    const drops = [["SPEED_DUPLEX"], ["MTU"], ["RING_PACKED"]];
    const model = new NetModel({ mtu: 1500, mac: "52:54:00:12:34:56", speed: 1000, duplex: "full" });
    loopWire(model);
    const pair = stage.pair({
      model,
      offer: RING,
      accept: ACCEPT,
      driverProfile: "seed-241",
      validate: async ({ readConfigField }) => {
        const drop = drops.shift() ?? [];
        if (drop[0] === "MTU") await readConfigField("mtu");
        return drop;
      },
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check(
      "steps",
      accesses(stage),
      "read offer, accept, accept, read mtu, accept, accept, FEATURES_OK",
    );
    stage.check("negotiated", pair.device.negotiated?.equals(pair.device.accepted), true);
    stage.check("layout", pair.device.ring?.layout, "split");
    stage.check("frames", await frames(pair), "8 of 8");
  },
};

/** What the driver did up to FEATURES_OK, in the words of the patch. */
function accesses({ transcript }: Stage): string {
  const words: string[] = [];
  for (const { access, side, field } of transcript.events) {
    if (side !== "device" || access === undefined) continue;
    if (access.register === "device-features") words.push("read offer");
    else if (access.register === "driver-features") words.push(`accept ${access.index}`);
    else if (access.register === "config") words.push(`read ${field}`);
    else if (access.register === "status" && access.how === "write" && (access.value & 8) !== 0) {
      words.push("FEATURES_OK");
      break;
    }
  }
  // Two words are one acceptance, four one reading of the offer.
  const steps = words.filter((word, i) => word !== "accept 1" && word !== words[i - 1]);
  return steps.join(", ").replaceAll("accept 0", "accept");
}

/** In the order in which they are best read. */
export const NET_SCENES: readonly Scene[] = [fiveSteps, mtu60, readsFirst, repeats];
