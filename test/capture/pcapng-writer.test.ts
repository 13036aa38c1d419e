import { describe, expect, it } from "vitest";
import { pcapngFrame, pcapngHeader } from "../../src/capture/pcapng-writer";
import { FIRST, framesOf, hex, PCAP_LITTLE, SECOND } from "./golden";

describe("pcapng writer", () => {
  it("begins with a section and an interface in nanoseconds", () => {
    expect(pcapngHeader("virtq")).toEqual(
      hex(
        "0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffffffffffff",
        "0400 0500 7669727471 000000 00000000 2c000000",
        "01000000 20000000 0100 0000 00000000 0900 0100 09000000 00000000 20000000",
      ),
    );
  });

  it("writes a frame with its time, its lengths and padding", () => {
    const frame = { bytes: hex(SECOND), timestamp: 0x0123456789abcdefn, originalLength: 60 };
    expect(pcapngFrame(frame)).toEqual(
      hex(`06000000 28000000 00000000 67452301 efcdab89 05000000 3c000000 ${SECOND} 000000 28000000`),
    );
    expect(pcapngFrame({ ...frame, bytes: hex(FIRST), timestamp: undefined, originalLength: 16 })).toEqual(
      hex(`06000000 30000000 00000000 00000000 00000000 10000000 10000000 ${FIRST} 30000000`),
    );
  });

  it("is read back as it was", () => {
    const frames = framesOf(hex(...PCAP_LITTLE));
    const parts = [pcapngHeader("virtq"), ...frames.map(pcapngFrame)];
    const again = framesOf(new Uint8Array(Buffer.concat(parts)));
    expect(again.map(({ offset: _, ...frame }) => frame)).toEqual(
      frames.map(({ offset: _, ...frame }) => frame),
    );
  });
});
