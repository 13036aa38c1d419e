// The network driver against the network model: every byte of many frames over all rings (§5.1.6).
import { describe, expect, it } from "vitest";
import { NET_DRIVER_FEATURES } from "../../src/driver/net-features";
import { loopWire } from "../../src/models/net-wire";
import { frame, netPair } from "../models/net-rig";

const RINGS = [
  ["split", []],
  ["split, EVENT_IDX", ["EVENT_IDX"]],
  ["split, INDIRECT_DESC", ["INDIRECT_DESC"]],
  ["split, IN_ORDER", ["IN_ORDER"]],
  ["packed", ["RING_PACKED"]],
  ["packed, EVENT_IDX", ["RING_PACKED", "EVENT_IDX"]],
  ["packed, INDIRECT_DESC", ["RING_PACKED", "INDIRECT_DESC"]],
  ["packed, IN_ORDER, EVENT_IDX, INDIRECT_DESC", ["RING_PACKED", "IN_ORDER", "EVENT_IDX", "INDIRECT_DESC"]],
] as const;

const FRAMES = 1000;
const LARGEST = 65535 + 14;

/** Sizes from 60 to the largest, small ones most often. */
function sizeOf(i: number): number {
  if (i % 50 === 0) return LARGEST - i;
  if (i % 10 === 0) return 1515 + i * 8;
  return 60 + ((i * 193) % 1455);
}

describe.each(RINGS)("over %s", (name, ring) => {
  const indirect = name.includes("INDIRECT");

  it.each([
    ["merged buffers of 1526 bytes", NET_DRIVER_FEATURES, {}],
    ["one buffer of 65601 bytes each", [], { bufferBytes: 65601, receiveBuffers: 8 }],
  ])("1,000 frames of 60 to 65,549 bytes come back in %s", async (_, features, options) => {
    const rig = await netPair(
      { ring: ["VERSION_1", ...ring], features, driver: { queueSize: 64, indirect: indirect ? 2 : 0 } },
      { ...options, indirect, frameBytes: LARGEST, transmitSlots: 8 },
    );
    loopWire(rig.model);
    const tokens = new Set<number>();
    let sent = 0;
    let got = 0;
    let wrong = 0;
    while (got < FRAMES) {
      while (sent < FRAMES) {
        const token = rig.nic.send(frame(sizeOf(sent), sent));
        if (token === 0) break;
        tokens.add(token);
        sent++;
      }
      void rig.nic.submit();
      rig.run();
      const before = got;
      rig.nic.poll(
        (bytes) => {
          if (Buffer.compare(bytes, frame(sizeOf(got), got)) !== 0) wrong++;
          got++;
        },
        (token) => tokens.delete(token),
      );
      if (got === before) break;
    }
    expect({ sent, got, wrong, left: tokens.size }).toEqual({ sent: FRAMES, got: FRAMES, wrong: 0, left: 0 });
    expect(rig.model.counters).toEqual({
      transmitted: FRAMES,
      lost: 0,
      malformed: 0,
      received: FRAMES,
      unfit: 0,
      missed: 0,
      tooShort: 0,
    });
    expect(rig.violations).toEqual([]);
  });
});
