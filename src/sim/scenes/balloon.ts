/**
 * Scenes with a balloon, whose driver drops features after it has accepted them (§5.5, patch for issue 241). Where the
 * device is like QEMU, the lint also reports that its feature words 2 and 3 show word 1 again.
 */
import { BalloonDriver } from "../../driver/balloon";
import { BALLOON_DRIVER_FEATURES, balloonValidate } from "../../driver/balloon-features";
import { BalloonModel } from "../../models/balloon";
import { hex } from "../../negotiation/control-event";
import type { Pair } from "../pair";
import type { Scene } from "../scene";
import { turn } from "./traffic";

const RING = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED"];
const ACCEPT = [...RING, ...BALLOON_DRIVER_FEATURES];

const pagePoison: Scene = {
  name: "balloon-page-poison",
  summary:
    "the balloon driver of a guest that doesn't fill its pages drops PAGE_POISON, and INDIRECT_DESC with it",
  ending: "a reserved bit and a device-type bit vanish in the second write, and pages still go in and out",
  async play(stage) {
    const inflated: number[] = [];
    const model = new BalloonModel({ onInflate: (pfns) => inflated.push(...pfns) });
    const validate = balloonValidate({ fillsPages: false });
    const pair = stage.pair({ model, offer: RING, accept: ACCEPT, validate });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("times accepted", timesAccepted(stage.transcript.events), 2);
    for (const name of ["PAGE_POISON", "INDIRECT_DESC"]) {
      stage.check(`${name} offered`, pair.device.offered.has(name, "balloon"), true);
      stage.check(`${name} negotiated`, pair.device.negotiated?.has(name, "balloon"), false);
    }
    stage.check("pages", await inflate(pair, model, inflated), "16 of 16");
  },
};

const accessPlatform: Scene = {
  name: "balloon-access-platform",
  summary: "the balloon driver's second write loses ACCESS_PLATFORM, which the device insists on",
  ending: "FEATURES_OK is refused, and the driver gives up cleanly",
  findings: ["RESERVED-003", "FEATURES-012"],
  async play(stage) {
    const pair = stage.pair({
      model: new BalloonModel(),
      offer: [...RING, "ACCESS_PLATFORM"],
      accept: [...ACCEPT, "ACCESS_PLATFORM"],
      deviceProfile: "qemu",
      validate: balloonValidate({ fillsPages: true }),
    });
    const result = await pair.driver.initialize();
    stage.check("result", result.ok ? "ok" : result.code, "FEATURES_REFUSED");
    stage.check("why", pair.device.refusal, "ACCESS_PLATFORM (33) must be accepted");
    stage.check("status", hex(pair.device.status), "0x83");
    stage.check("nothing is negotiated", pair.device.negotiated === undefined, true);
  },
};

const retry: Scene = {
  name: "retry-without-reset",
  summary: "the same refusal, and a driver that accepts the first set again and retries without a reset",
  ending:
    "the device judges anew, as the patch lets it; the published text calls it unusable, so the lint reports it",
  findings: ["INIT-005", "RESERVED-003", "FEATURES-012"],
  async play(stage) {
    const pair = stage.pair({
      model: new BalloonModel(),
      offer: [...RING, "ACCESS_PLATFORM"],
      accept: [...ACCEPT, "ACCESS_PLATFORM"],
      deviceProfile: "qemu",
      driverProfile: "misbehaving:retries-without-reset",
      validate: balloonValidate({ fillsPages: true }),
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    const policies = stage.transcript.events.flatMap(({ policy }) =>
      policy ? [`${policy.name}: ${policy.choice}`] : [],
    );
    stage.check("policy", policies, ["retryAfterRefusal: judge"]);
    stage.check("negotiated", pair.device.negotiated?.has("ACCESS_PLATFORM"), true);
  },
};

/** How often a set of two words was written. */
function timesAccepted(events: readonly { access?: { register: string; index?: number } }[]): number {
  return events.filter(({ access }) => access?.register === "driver-features" && access.index === 0).length;
}

async function inflate(
  { driver, core, allocator }: Pair,
  model: BalloonModel,
  pfns: number[],
): Promise<string> {
  const balloon = await BalloonDriver.start(driver, core, allocator);
  model.target(16);
  for (let round = 0; round < 100 && balloon.size < 16; round++) {
    await balloon.poll();
    await turn();
  }
  return `${new Set(pfns).size} of ${balloon.size}`;
}

/** In the order in which they are best read. */
export const BALLOON_SCENES: readonly Scene[] = [pagePoison, accessPlatform, retry];
