import { describe, expect, it, vi } from "vitest";
import { readCapture } from "../../src/capture/capture";
import type { FrameToWrite } from "../../src/capture/pcapng-writer";
import { NetModel } from "../../src/models/net";
import { type ReplayCaptureOptions, replayCapture } from "../../src/sim/capture";
import { surveyCapture } from "../../src/sim/capture-survey";
import { framesOf, hex, PCAP_LITTLE, pcapOf } from "../capture/golden";
import { pattern } from "../models/rig";

const RINGS: readonly (readonly string[])[] = [
  ["VERSION_1"],
  ["VERSION_1", "EVENT_IDX"],
  ["VERSION_1", "RING_PACKED"],
  ["VERSION_1", "RING_PACKED", "EVENT_IDX", "IN_ORDER"],
];
const SIZES = [14, 60, 1514, 64, 15, 1000, 590];

function captureOf(sizes: readonly number[]) {
  const frames = sizes.map((size, i) => pattern(size, i + 1));
  return { frames, capture: readCapture(pcapOf(frames)) };
}

/** A replay, and what arrived, each with bytes of its own. */
async function replay(options: ReplayCaptureOptions) {
  const arrived: FrameToWrite[] = [];
  const onFrame = (frame: FrameToWrite) => arrived.push({ ...frame, bytes: frame.bytes.slice() });
  return { arrived, report: await replayCapture({ ...options, onFrame }) };
}

describe.each(RINGS.map((accept) => ({ accept })))("replayCapture: $accept", ({ accept }) => {
  it.each<[readonly number[], Partial<ReplayCaptureOptions>]>([
    [[14], {}],
    [SIZES, {}],
    [SIZES, { batch: 1 }],
    [SIZES, { batch: 3, queueSize: 4 }],
    [SIZES, { queueSize: 1 }],
    [[65_549, 14, 65_549, 40_000], { batch: 2 }],
    [Array.from({ length: 1000 }, (_, i) => 14 + ((i * 37) % 1500)), {}],
  ])("frames of %j bytes, %j", async (sizes, options) => {
    const { frames, capture } = captureOf(sizes);
    const { arrived, report } = await replay({ accept, capture, ...options });
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const largest = Math.max(...sizes);
    expect(report).toMatchObject({ kind: "capture", outcome: "completed", disk: null });
    expect(report.capture).toEqual({
      frames: sizes.length,
      bytes,
      largest,
      mtu: Math.max(68, largest - 14),
      cut: 0,
      differ: 0,
      dropped: 0,
    });
    expect(report.layout).toBe(accept.includes("RING_PACKED") ? "packed" : "split");
    expect(report.negotiated).toContain("MTU");
    // One chain out and one in, with a header of 12 bytes each.
    expect(report.chains).toBe(2 * sizes.length);
    expect(report.bytes).toEqual({
      toDevice: bytes + 12 * sizes.length,
      fromDevice: bytes + 12 * sizes.length,
    });
    expect(report.integrity.received).toBe(report.integrity.sent);
    expect(arrived.map((frame) => Buffer.from(frame.bytes).toString("hex"))).toEqual(
      frames.map((frame) => Buffer.from(frame).toString("hex")),
    );
    expect(arrived.map(({ timestamp }) => timestamp)).toEqual(
      sizes.map((_, i) => 1_000_000_000_000_000_000n + BigInt(i) * 1000n),
    );
  });

  it("through indirect tables", async () => {
    const { capture } = captureOf(SIZES);
    const options = { indirect: true, queueSize: 2, accept: [...accept, "INDIRECT_DESC"] };
    const { report } = await replay({ capture, ...options });
    expect(report).toMatchObject({ outcome: "completed", indirect: true, chains: 2 * SIZES.length });
    expect(report.descriptors).toBe(report.chains);
  });

  it.each([0, 13, 14, 73, 74, 1000])(
    "a byte inverted on the wire at %i is found, and no other",
    async (at) => {
      const { capture, frames } = captureOf(SIZES);
      const { arrived, report } = await replay({ accept, capture, flipByte: at });
      let chain = 0;
      let offset = at;
      for (; offset >= (SIZES[chain] ?? 0); chain++) offset -= SIZES[chain] ?? 0;
      const expected = frames[chain]?.[offset] ?? 0;
      expect(report.outcome).toBe("mismatch");
      expect(report.capture).toMatchObject({ differ: 1, dropped: 0 });
      expect(report.integrity).toMatchObject({
        mismatches: 1,
        firstMismatch: { chain, direction: "fromDevice", offset, expected, actual: ~expected & 0xff },
      });
      expect(arrived[chain]?.bytes[offset]).toBe(~expected & 0xff);
      const [toWire, fromWire] = report.integrity.received.split("-");
      expect(report.integrity.sent).toBe(`${toWire}-${toWire}`);
      expect(fromWire).not.toBe(toWire);
    },
  );

  it("counts the same every time", async () => {
    const { capture } = captureOf(SIZES);
    const run = async () => {
      const { chains, bytes, notifications, integrity } = await replayCapture({ accept, capture, batch: 2 });
      return { chains, bytes, notifications, integrity };
    };
    expect(await run()).toEqual(await run());
  });
});

describe("replayCapture", () => {
  it("sends what there is of frames that were cut, and keeps their length", async () => {
    const frames = [pattern(96, 1), pattern(1514, 2)];
    const { arrived, report } = await replay({ capture: readCapture(pcapOf(frames, 1000)) });
    expect(report).toMatchObject({ outcome: "completed", capture: { cut: 1, bytes: 1610, largest: 1514 } });
    expect(arrived.map(({ bytes, originalLength }) => [bytes.length, originalLength])).toEqual([
      [96, 1000],
      [1514, 1514],
    ]);
  });

  it("needs no MTU: the buffers are large enough all the same", async () => {
    const { capture } = captureOf([9000, 14]);
    for (const own of ["MAC", "MRG_RXBUF", "STATUS"]) {
      const { report } = await replay({ capture, accept: ["VERSION_1", own] });
      expect(report).toMatchObject({ outcome: "completed", negotiated: [own, "VERSION_1"] });
    }
  });

  it("offers what it is told to", async () => {
    const { capture } = captureOf(SIZES);
    const { report } = await replay({ capture, offer: ["VERSION_1", "RING_PACKED", "MTU"] });
    expect(report.offered).toEqual(["MTU", "VERSION_1", "RING_PACKED"]);
  });

  it("labels the events of the two devices", async () => {
    const { report } = await replay(captureOf([60]));
    expect(new Set(report.transcript.map(({ device }) => device))).toEqual(new Set(["sender", "receiver"]));
    expect(report.transcript.map(({ seq }) => seq)).toEqual(report.transcript.map((_, i) => i));
  });

  it("a refusal is a result", async () => {
    const { report, arrived } = await replay({ ...captureOf([60]), accept: ["RING_PACKED"] });
    expect(report).toMatchObject({ outcome: "refused", layout: null, chains: 0, integrity: { sent: "" } });
    expect(arrived).toEqual([]);
  });

  it("counts notifications: one for each publish at most", async () => {
    const { capture } = captureOf(Array.from({ length: 100 }, () => 60));
    const { report } = await replay({ capture, accept: ["VERSION_1"], batch: 10 });
    const { available, used } = report.notifications;
    // Ten batches out and ten times buffers back, and at both ends the first receive buffers.
    expect(available.sent + available.suppressed).toBe(22);
    expect(used.sent + used.suppressed).toBe(20);
    expect(used.sent).toBe(20);
  });

  it.each([
    [[1], 60],
    [[0, 6], 14 + 590],
    [[5, 6], 1000 + 590],
    [[0, 1, 2, 3, 4, 5, 6], 3257],
  ])("frames %j that get lost behind the wire are counted, the others compared", async (lost, bytes) => {
    const receive = NetModel.prototype.receive;
    let number = 0;
    const spy = vi.spyOn(NetModel.prototype, "receive").mockImplementation(function (
      this: NetModel,
      frame,
      header,
    ) {
      if (!lost.includes(number++)) return receive.call(this, frame, header);
      // As a device that is short of buffers: counted, and nobody else is told.
      (this.counters as { missed: number }).missed++;
      return false;
    });
    const { arrived, report } = await replay({ ...captureOf(SIZES), batch: 2 });
    spy.mockRestore();
    expect(report.outcome).toBe("mismatch");
    expect(report.capture).toMatchObject({ differ: 0, dropped: lost.length });
    expect(report.integrity).toMatchObject({
      mismatches: bytes,
      firstMismatch: { chain: lost[0], direction: "fromDevice", offset: 0, actual: null },
    });
    expect(arrived.map((frame) => frame.bytes.length)).toEqual(SIZES.filter((_, i) => !lost.includes(i)));
  });

  it("says how far it is", async () => {
    const seen: [number, number][] = [];
    const { capture } = captureOf(Array.from({ length: 30_000 }, () => 1500));
    await replayCapture({ capture, batch: 1, onProgress: (done, all) => seen.push([done, all]) });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every(([done, all], i) => all === 30_000 && done > (seen[i - 1]?.[0] ?? 0))).toBe(true);
  });

  it.each<[Partial<ReplayCaptureOptions>, string]>([
    [{ batch: 0 }, "batch 0: a queue of 256 holds 1 to 256 frames"],
    [{ batch: 9, queueSize: 8 }, "batch 9: a queue of 8 holds 1 to 8 frames"],
    [{ queueSize: 0 }, "queue size 0 is not within 1…32768"],
    [{ queueSize: 32_769 }, "queue size 32769 is not within 1…32768"],
    [{ flipByte: 60 }, "offset 60 is not in a capture of 60 bytes"],
    [{ queueSize: 3, accept: ["VERSION_1"] }, "needs a power of two"],
    [{ indirect: true, accept: ["VERSION_1"] }, "the driver did not accept it"],
    [{ offer: ["VERSION_1", "CTRL_VQ"] }, "the net model cannot offer CTRL_VQ"],
    [{ accept: ["VERSION_1", "MTUU"] }, "MTU"],
  ])("refuses %j", async (options, message) => {
    await expect(replayCapture({ ...captureOf([60]), ...options })).rejects.toThrow(message);
  });

  it("refuses more bytes on their way than it has memory for", async () => {
    const options = { ...captureOf([65_549]), queueSize: 2048, batch: 2048 };
    await expect(replayCapture(options)).rejects.toThrow(
      "2048 frames of 65549 bytes on their way are more than 67108864 bytes",
    );
  });
});

describe("surveyCapture", () => {
  it("finds the largest frame and the MTU for it", async () => {
    const { capture } = captureOf(SIZES);
    const survey = { frames: 7, bytes: 3257, largest: 1514, mtu: 1500, cut: 0 };
    expect(await surveyCapture(capture)).toEqual(survey);
    expect(await surveyCapture(captureOf([14]).capture)).toMatchObject({ largest: 14, mtu: 68 });
    expect(await surveyCapture(captureOf([65_549]).capture)).toMatchObject({ mtu: 65_535 });
  });

  it.each([
    [[60, 65_550], "the frame at offset 100 has 65550 bytes: a network device takes 14 to 65549"],
    [[13], "the frame at offset 24 has 13 bytes: a network device takes 14 to 65549"],
    [[0], "the frame at offset 24 has 0 bytes"],
    [[], "the 24 bytes of pcap up to offset 24 hold no frame"],
  ])("refuses frames of %j bytes", async (sizes, message) => {
    await expect(surveyCapture(captureOf(sizes).capture)).rejects.toThrow(message);
  });

  it("reads to the last byte", async () => {
    const bytes = hex(...PCAP_LITTLE).slice(0, -1);
    const read = surveyCapture(readCapture(bytes.subarray(0, 56)));
    expect(await read).toMatchObject({ frames: 1 });
    await expect(surveyCapture(readCapture(bytes))).rejects.toThrow("says 5 bytes, 4 are left");
    expect(framesOf(bytes.subarray(0, 56))).toHaveLength(1);
  });
});
