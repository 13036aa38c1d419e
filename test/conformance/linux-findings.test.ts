// Every Linux order on every model, over PCI's and MMIO's word order and on guests of both byte orders, judged: the
// findings are those of linux-findings.json, each with its reason, and no other.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import type { DeviceModel } from "../../src/device/model";
import { balloonPoison, balloonValidate } from "../../src/driver/balloon-features";
import type { ValidateContext } from "../../src/driver/initialisation";
import { netValidate } from "../../src/driver/net-features";
import { DRIVER_PROFILES } from "../../src/driver/profiles";
import { BalloonModel } from "../../src/models/balloon";
import { BlkModel } from "../../src/models/blk";
import { ConsoleModel } from "../../src/models/console";
import { MemoryBackend } from "../../src/models/memory-backend";
import { NetModel } from "../../src/models/net";
import { RngModel } from "../../src/models/rng";
import { findingsOf } from "../../src/sim/findings";
import { Pair } from "../../src/sim/pair";
import { Transcript } from "../../src/trace/transcript";

type Expected = Record<string, Record<string, { clause: string; reason: string }[]>>;
const expected: Expected = JSON.parse(
  readFileSync(new URL("./linux-findings.json", import.meta.url), "utf8"),
);

const OFFER = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER", "RING_RESET", "SUSPEND"];
/** What Linux passes through of the reserved bits; IN_ORDER and SUSPEND are not known to it. */
const TRANSPORT_BITS = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "RING_RESET"];
const PLATFORM = ["ACCESS_PLATFORM", "ORDER_PLATFORM"];

/** A driver of Linux: its model, what it knows, and what it does besides the order of the core. */
interface Row {
  readonly model: () => DeviceModel;
  readonly knows: readonly string[];
  readonly validate?: (context: ValidateContext) => Promise<readonly string[]> | readonly string[];
  /** Configuration that its probe reads. */
  readonly probes: readonly string[];
}

const ROWS: Record<string, Row> = {
  net: {
    model: () => new NetModel({ mtu: 1500, mac: "52:54:00:12:34:56", speed: 1000, duplex: "full" }),
    knows: ["MTU", "MAC", "MRG_RXBUF", "STATUS", "SPEED_DUPLEX"],
    validate: netValidate,
    probes: ["mac", "status", "mtu", "speed", "duplex"],
  },
  blk: {
    model: () => new BlkModel(new MemoryBackend(new Uint8Array(4096))),
    knows: ["SEG_MAX", "BLK_SIZE", "FLUSH"],
    probes: ["capacity", "seg_max", "blk_size"],
  },
  console: {
    model: () => new ConsoleModel({ offers: ["SIZE", "EMERG_WRITE"] }),
    knows: ["SIZE", "EMERG_WRITE"],
    probes: ["cols", "rows"],
  },
  entropy: { model: () => new RngModel(), knows: [], probes: [] },
  balloon: {
    model: () => new BalloonModel(),
    knows: ["MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "PAGE_POISON"],
    validate: balloonValidate({ fillsPages: true }),
    probes: ["num_pages"],
  },
};

const GUESTS = ["pci", "mmio"].flatMap((transport) =>
  (["little", "big"] as const).map((byteOrder) => ({ transport, byteOrder })),
);

async function clausesOf(profile: string, device: string, guest: (typeof GUESTS)[number]): Promise<string[]> {
  const row = ROWS[device];
  if (row === undefined) throw new Error(device);
  const transcript = new Transcript();
  const { validate } = row;
  const pair: Pair = new Pair({
    core: loadCoreSync({ guestBytes: 1 << 20 }),
    model: row.model(),
    transcript,
    offer: [...OFFER, ...PLATFORM],
    accept: [...TRANSPORT_BITS, ...PLATFORM, ...row.knows],
    driverProfile: profile,
    byteOrder: guest.byteOrder,
    transport: { transport: guest.transport },
    pumped: true,
    queueSize: 16,
    ...(validate === undefined ? {} : { validate: async (context) => [...(await validate(context))] }),
    probe: async ({ readConfigFields }) => void (await readConfigFields(row.probes)),
    fill: () => (device === "balloon" ? balloonPoison(pair.driver, 0xaa) : undefined),
  });
  expect(await pair.driver.initialize()).toMatchObject({ ok: true });
  await pair.driver.reset();
  return [...new Set(findingsOf(pair, transcript.events).map(({ clause }) => clause))].sort();
}

describe.each(Object.keys(DRIVER_PROFILES).filter((name) => name.startsWith("linux-")))("%s", (profile) => {
  it.each(Object.keys(ROWS))("on %s: the findings of the list, and no other", async (device) => {
    const rows = expected[profile]?.[device] ?? [];
    for (const guest of GUESTS) {
      const clauses = await clausesOf(profile, device, guest);
      expect(clauses, JSON.stringify(guest)).toEqual(rows.map(({ clause }) => clause).sort());
    }
    for (const { reason } of rows) expect(reason.length).toBeGreaterThan(20);
  });
});

it("the list names no profile and no device that there isn't", () => {
  expect(Object.keys(DRIVER_PROFILES)).toEqual(expect.arrayContaining(Object.keys(expected)));
  for (const devices of Object.values(expected)) {
    expect(Object.keys(ROWS)).toEqual(expect.arrayContaining(Object.keys(devices)));
  }
});
