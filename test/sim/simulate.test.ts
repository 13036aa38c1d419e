import { describe, expect, it } from "vitest";
import type { SimReport } from "../../src/sim/metrics";
import { type SimulateOptions, simulate } from "../../src/sim/simulate";

const SPLIT = ["VERSION_1"];
const SETS: readonly (readonly string[])[] = [
  SPLIT,
  ["VERSION_1", "EVENT_IDX"],
  ["VERSION_1", "IN_ORDER"],
  ["VERSION_1", "EVENT_IDX", "IN_ORDER", "NOTIFICATION_DATA"],
  ["VERSION_1", "RING_PACKED"],
  ["VERSION_1", "RING_PACKED", "EVENT_IDX"],
  ["VERSION_1", "RING_PACKED", "IN_ORDER"],
  ["VERSION_1", "RING_PACKED", "EVENT_IDX", "IN_ORDER", "NOTIFICATION_DATA"],
];

function run(options: SimulateOptions = {}): Promise<SimReport> {
  return simulate({ timeRings: false, ...options });
}

/** What must be the same for the same seed. */
function counters({
  chains,
  descriptors,
  bytes,
  notifications,
  integrity,
  batch,
  queueSize,
  seed,
}: SimReport) {
  return { chains, descriptors, bytes, notifications, integrity, batch, queueSize, seed };
}

describe.each(SETS.map((accept) => ({ accept })))("simulate: $accept", ({ accept }) => {
  it.each([
    [{ chains: 500 }],
    [{ chains: 1 }],
    [{ chains: 333, batch: 7, readable: [3], writable: [1] }],
    [{ chains: 200, batch: 1, readable: [16, 100], writable: [512, 3, 1] }],
    [{ chains: 200, readable: [], writable: [40] }],
    [{ chains: 200, readable: [40], writable: [] }],
    [{ chains: 150, readable: [1500], writable: [7] }],
    [{ chains: 150, readable: [], writable: [100, 28, 1] }],
  ])("every byte of %j arrives", async (workload) => {
    const report = await run({ accept, workload });
    const sum = (lengths: readonly number[]) => lengths.reduce((total, length) => total + length, 0);
    const {
      chains,
      readable = [16],
      writable = [512],
    } = workload as { chains: number; readable?: number[]; writable?: number[] };
    expect(report.integrity).toMatchObject({ mismatches: 0, firstMismatch: null });
    expect(report.integrity.received).toBe(report.integrity.sent);
    expect(report.outcome).toBe("completed");
    expect(report.chains).toBe(chains);
    expect(report.descriptors).toBe(chains * (readable.length + writable.length));
    expect(report.bytes).toEqual({ toDevice: chains * sum(readable), fromDevice: chains * sum(writable) });
    expect(report.layout).toBe(accept.includes("RING_PACKED") ? "packed" : "split");
    expect([...report.negotiated].sort()).toEqual([...accept].sort());
  });

  it.each([1, 2, 4, 128])("works on a ring of %i", async (queueSize) => {
    const report = await run({
      accept,
      queueSize,
      workload: { chains: 700, readable: queueSize === 1 ? [] : [16], writable: [64] },
    });
    expect(report).toMatchObject({ outcome: "completed", chains: 700, queueSize });
  });

  it("takes one descriptor a chain through indirect tables", async () => {
    const report = await run({
      accept: [...accept, "INDIRECT_DESC"],
      indirect: true,
      queueSize: 8,
      workload: { chains: 300, readable: [16, 16], writable: [64, 1] },
    });
    expect(report).toMatchObject({ outcome: "completed", chains: 300, descriptors: 300, indirect: true });
  });

  it("counts the same for the same seed and digests otherwise for another", async () => {
    const workload = { chains: 300 };
    const first = await run({ accept, workload, seed: 5 });
    const again = await run({ accept, workload, seed: 5 });
    const other = await run({ accept, workload, seed: 6 });
    expect(counters(again)).toEqual(counters(first));
    expect(other.integrity.sent).not.toBe(first.integrity.sent);
    expect(other.notifications).toEqual(first.notifications);
  });
});

describe("notifications", () => {
  const of = async (...accept: string[]) => (await run({ accept, workload: { chains: 6400 } })).notifications;

  it("each publish sends one or suppresses one", async () => {
    const { available, used } = await of("VERSION_1");
    expect(available.sent + available.suppressed).toBe(6400 / 32);
    expect(used.sent + used.suppressed).toBe(6400 / 32);
  });

  it("a device that is busy suppresses nearly all available buffer notifications", async () => {
    const { available } = await of("VERSION_1");
    expect(available.sent).toBeLessThan(10);
  });

  it.each([[[]], [["RING_PACKED"]]])(
    "EVENT_IDX lets one used buffer notification stand for many: %j",
    async (more) => {
      const without = await of("VERSION_1", ...more);
      const withIt = await of("VERSION_1", "EVENT_IDX", ...more);
      expect(without.used.suppressed).toBe(0);
      expect(withIt.used.sent).toBeLessThan(without.used.sent / 3);
    },
  );
});

describe("what was negotiated decides, not what was asked for", () => {
  it("RING_PACKED that is not offered gives split, and says why", async () => {
    const report = await run({
      offer: SPLIT,
      accept: ["VERSION_1", "RING_PACKED"],
      workload: { chains: 10 },
    });
    expect(report).toMatchObject({ layout: "split", offered: ["VERSION_1"], accepted: ["VERSION_1"] });
    expect(report.reason).toBe("VIRTIO_F_RING_PACKED (bit 34) was not negotiated: not offered");
  });

  it("RING_PACKED that is not accepted gives split, and says why", async () => {
    const report = await run({ accept: SPLIT, workload: { chains: 10 } });
    expect(report.layout).toBe("split");
    expect(report.reason).toMatch(/offered, but not accepted by the driver$/);
  });

  it("a validate hook that drops RING_PACKED gives split", async () => {
    const report = await run({
      accept: ["VERSION_1", "RING_PACKED"],
      validate: () => ["RING_PACKED"],
      workload: { chains: 10 },
    });
    expect(report).toMatchObject({ layout: "split", negotiated: ["VERSION_1"] });
    const accepts = report.transcript.filter(
      ({ side, step, field }) => side === "driver" && step === "features" && field === "accepted",
    );
    expect(accepts.map(({ sets }) => sets?.accepted)).toEqual([["VERSION_1", "RING_PACKED"], ["VERSION_1"]]);
  });

  it("a refusal is a result with its reason and transcript", async () => {
    const report = await run({ accept: ["RING_PACKED"], workload: { chains: 10 } });
    expect(report).toMatchObject({
      outcome: "refused",
      layout: null,
      negotiated: [],
      chains: 0,
      nsPerChain: null,
      findings: [{ clause: "RESERVED-001", side: "driver", level: "MUST" }],
    });
    expect(report.reason).toContain("VERSION_1 (32) must be accepted");
    expect(report.transcript.at(-1)).toMatchObject({ step: "status", note: "FAILED" });
  });

  it("events are heard as they happen", async () => {
    const seen: string[] = [];
    const report = await run({ workload: { chains: 1 }, onEvent: ({ step }) => seen.push(step) });
    expect(seen).toEqual(report.transcript.map(({ step }) => step));
  });
});

describe("what the checker finds", () => {
  it("a byte that changed on its way to the device", async () => {
    const report = await run({
      accept: SPLIT,
      workload: { chains: 100, readable: [16, 8], writable: [4] },
      tamper(chain, memory, [, second = 0]) {
        if (chain === 42) memory[second + 3] = ~(memory[second + 3] ?? 0);
      },
    });
    expect(report).toMatchObject({ outcome: "mismatch", chains: 100 });
    expect(report.integrity).toMatchObject({
      mismatches: 1,
      firstMismatch: { chain: 42, direction: "toDevice", offset: 19 },
    });
    expect(report.integrity.received).not.toBe(report.integrity.sent);
  });

  it("a byte that changed there and therefore in the answer", async () => {
    const report = await run({
      workload: { chains: 100, readable: [16], writable: [512] },
      tamper(chain, memory, [first = 0]) {
        if (chain === 7) memory[first] = ~(memory[first] ?? 0);
      },
    });
    expect(report.integrity.mismatches).toBe(1 + 512 / 16);
    expect(report.integrity.firstMismatch).toMatchObject({ chain: 7, offset: 0 });
  });
});

describe("options that can't work", () => {
  it.each<[SimulateOptions, string, string]>([
    [{ accept: ["RING_PAKED"] }, "UNKNOWN_NAME", "did you mean RING_PACKED?"],
    [{ offer: ["VERSION_1", "EVENT_IDXX"] }, "UNKNOWN_NAME", "did you mean EVENT_IDX?"],
    [{ deviceProfile: "strickt" }, "UNKNOWN_NAME", "did you mean strict?"],
    [{ driverProfile: "linux-curent" }, "UNKNOWN_NAME", "did you mean linux-current?"],
    [{ accept: SPLIT, indirect: true }, "INDIRECT_NOT_NEGOTIATED", "the driver did not accept it"],
    [{ offer: SPLIT, indirect: true }, "INDIRECT_NOT_NEGOTIATED", "the device did not offer it"],
    [{ accept: SPLIT, queueSize: 100 }, "QUEUE_SIZE_INVALID", "needs a power of two, such as 64 or 128"],
    [{ offer: ["RING_PACKED"] }, "BAD_ARGUMENT", "VERSION_1 (32) must be offered"],
    [{ workload: { batch: 1000 } }, "BAD_ARGUMENT", "holds at most 128 chains"],
  ])("%j", async (options, code, message) => {
    await expect(run(options)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("any size is fine for packed", async () => {
    const report = await run({
      accept: ["VERSION_1", "RING_PACKED"],
      queueSize: 100,
      workload: { chains: 1000 },
    });
    expect(report).toMatchObject({ outcome: "completed", queueSize: 100, chains: 1000 });
  });
});

it("the rings alone take less time than the whole", async () => {
  const report = await simulate({ workload: { chains: 2000 } });
  expect(report.nsPerChain?.rings).toBeGreaterThan(0);
  expect(report.nsPerChain?.rings).toBeLessThan(report.nsPerChain?.total ?? 0);
});
