/** Scenes about who accepts what, and when it counts (§2.2, §3.1.1, patch for issue 241). */
import { VirtioError } from "../../errors";
import { EchoModel } from "../../models/echo";
import { hex } from "../../negotiation/control-event";
import type { Scene } from "../scene";
import { echo } from "./traffic";

const RING = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER"];

const givesUp: Scene = {
  name: "driver-gives-up",
  summary: "the driver finds in the configuration that it can't use the device, and leaves it cleanly",
  ending: "FAILED is set, nothing was negotiated, no queue was touched; after a reset another driver works",
  async play(stage) {
    const stops = () => {
      throw new VirtioError("FEATURES_REFUSED", "this is not a device for me", { section: "3.1.1" });
    };
    const pair = stage.pair({ model: new EchoModel(), offer: RING, label: "first", validate: stops });
    const result = await pair.driver.initialize();
    stage.check("result", result.ok ? "ok" : result.reason, "this is not a device for me");
    stage.check("status", hex(pair.device.status), "0x83");
    stage.check("nothing is negotiated", pair.device.negotiated === undefined, true);
    const next = stage.pair({ model: new EchoModel(), offer: RING, label: "second" });
    stage.check("the next one", (await next.driver.initialize()).ok, true);
    stage.check("chains", await echo(next), "8 of 8");
  },
};

const olderDriver: Scene = {
  name: "older-driver",
  summary: "a driver that knows VERSION_1 alone meets a device with every feature of the ring",
  ending: "it doesn't write back what it doesn't know, and the split ring works",
  findings: ["RESERVED-006"],
  async play(stage) {
    const pair = stage.pair({ model: new EchoModel(), accept: ["VERSION_1"] });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("negotiated", pair.device.negotiated?.names(), ["VERSION_1"]);
    stage.check("layout", pair.device.ring?.layout, "split");
    stage.check("chains", await echo(pair), "8 of 8");
  },
};

const olderDevice: Scene = {
  name: "older-device",
  summary: "a driver that knows every feature of the ring meets a device that offers VERSION_1 alone",
  ending: "it sees that they are not offered, falls back, and the split ring works",
  async play(stage) {
    const pair = stage.pair({ model: new EchoModel(), offer: ["VERSION_1"], accept: RING });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("negotiated", pair.driver.negotiated?.names(), ["VERSION_1"]);
    stage.check("layout", pair.device.ring?.layout, "split");
    stage.check("chains", await echo(pair), "8 of 8");
  },
};

const lateWrite: Scene = {
  name: "late-feature-write",
  summary:
    "a driver writes another feature set after FEATURES_OK; the specification doesn't say what the device does",
  ending: "strict ignores it and its packed ring works on; propolis needs a reset",
  findings: ["INIT-004", "SEED241-004"],
  async play(stage) {
    const accept = RING.filter((name) => name !== "IN_ORDER");
    const common = { offer: RING, accept, driverProfile: "misbehaving:accepts-late" };
    const strict = stage.pair({ ...common, model: new EchoModel(), label: "strict" });
    stage.check("strict", (await strict.driver.initialize()).ok, true);
    stage.check("strict negotiated IN_ORDER", strict.device.negotiated?.has("IN_ORDER"), false);
    stage.check("strict chains", await echo(strict), "8 of 8");
    const other = { ...common, model: new EchoModel(), label: "propolis", deviceProfile: "propolis" };
    const propolis = stage.pair(other);
    const result = await propolis.driver.initialize();
    stage.check("propolis", result.ok ? "ok" : result.code, "QUEUE_NOT_READY");
    stage.check("propolis status", hex(propolis.device.status), "0xcb");
  },
};

const renegotiation: Scene = {
  name: "renegotiation",
  summary: "a device in use is reset and negotiated again, into the other layout",
  ending: "packed, then split, and the data is right in both",
  async play(stage) {
    const pair = stage.pair({ model: new EchoModel(), offer: RING });
    stage.check("first", (await pair.driver.initialize()).ok && pair.device.ring?.layout, "packed");
    stage.check("chains", await echo(pair), "8 of 8");
    const supports = RING.filter((name) => name !== "RING_PACKED");
    stage.check(
      "second",
      (await pair.driver.initialize({ supports })).ok && pair.device.ring?.layout,
      "split",
    );
    stage.check("chains", await echo(pair), "8 of 8");
  },
  findings: ["RESERVED-006"],
};

const wordByWord: Scene = {
  name: "word-by-word",
  summary: "a set is accepted in two words, low first over PCI and high first over MMIO",
  ending: "the device sees a half-new set in between, acts on none, and both agree on the whole",
  async play(stage) {
    for (const transport of ["pci", "mmio"]) {
      const seen: string[] = [];
      const pair = stage.pair({
        model: new EchoModel(),
        offer: RING,
        label: transport,
        transport: { transport },
        onEvent: ({ access, sets }) => {
          if (access?.register === "driver-features") seen.push(`${sets?.accepted.length}`);
        },
      });
      stage.check(`${transport}: ok`, (await pair.driver.initialize()).ok, true);
      stage.check(
        `${transport}: features seen`,
        seen.join(" then "),
        transport === "pci" ? "2 then 5" : "3 then 5",
      );
      stage.check(`${transport}: chains`, await echo(pair), "8 of 8");
    }
  },
};

const notInTable: Scene = {
  name: "feature-not-in-table",
  summary: "a driver asks for a feature that it never said it knew: Linux stops with BUG() there",
  ending: "FEATURE_NOT_IN_TABLE is thrown, and a feature that it knows is answered",
  async play(stage) {
    const { driver } = stage.pair({ model: new EchoModel(), offer: RING, accept: RING });
    await driver.initialize();
    const ask = (feature: number | string) => {
      try {
        return driver.hasFeature(feature);
      } catch (error) {
        return error instanceof VirtioError ? error.code : String(error);
      }
    };
    stage.check("bit 3", ask(3), "FEATURE_NOT_IN_TABLE");
    stage.check("RING_PACKED", ask("RING_PACKED"), true);
    stage.check("RING_RESET, which Linux passes through", ask("RING_RESET"), false);
  },
};

/** In the order in which they are best read. */
export const NEGOTIATION_SCENES: readonly Scene[] = [
  givesUp,
  olderDriver,
  olderDevice,
  lateWrite,
  renegotiation,
  wordByWord,
  notInTable,
];
