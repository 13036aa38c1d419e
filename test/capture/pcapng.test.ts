import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture";
import {
  complaintOf,
  FIRST,
  framesOf,
  hex,
  PCAPNG_BIG,
  PCAPNG_LITTLE,
  PCAPNG_MICROSECONDS,
  SECOND,
} from "./golden";

const US = PCAPNG_MICROSECONDS;
const [SECTION, INTERFACE] = PCAPNG_LITTLE;

/** An enhanced packet on an interface of the section, with these upper and lower halves of a timestamp. */
const packet = (index: string, time: string) =>
  `06000000 28000000 ${index} ${time} 05000000 05000000 ${SECOND} 000000 28000000`;
/** An interface with one option. */
const described = (option: string) => {
  const length = (20 + hex(option).length + 4).toString(16).padStart(2, "0");
  return `01000000 ${length}000000 0100 0000 00000000 ${option} 00000000 ${length}000000`;
};

describe.each([
  ["little-endian", PCAPNG_LITTLE],
  ["big-endian", PCAPNG_BIG],
] as const)("pcapng, %s", (_, parts) => {
  it("gives the frames of all three packet blocks and skips the others", () => {
    const bytes = hex(...parts);
    expect(readCapture(bytes)).toMatchObject({ format: "pcapng", size: 184 });
    expect(framesOf(bytes)).toEqual([
      { bytes: hex(FIRST), timestamp: US * 1000n, interface: 0, originalLength: 16, offset: 72 },
      { bytes: hex(SECOND), timestamp: (US + 1n) * 1000n, interface: 0, originalLength: 60, offset: 120 },
      { bytes: hex(SECOND), timestamp: undefined, interface: 0, originalLength: 5, offset: 160 },
    ]);
  });
});

describe("pcapng", () => {
  it("changes the byte order and counts interfaces anew with each section", () => {
    const frames = framesOf(hex(...PCAPNG_LITTLE, ...PCAPNG_BIG, ...PCAPNG_LITTLE));
    expect(frames).toHaveLength(9);
    expect(frames.map((frame) => frame.interface)).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
    expect(frames[3]).toEqual({ ...frames[0], interface: 1, offset: 184 + 72 });
  });

  it("cuts a simple packet at the snap length", () => {
    const short = INTERFACE.replace("00000400", "05000000");
    const [frame] = framesOf(hex(SECTION, short, `03000000 18000000 3c000000 ${SECOND} 000000 18000000`));
    expect(frame).toMatchObject({ bytes: hex(SECOND), originalLength: 60 });
  });

  it.each<[string, string, bigint]>([
    ["10^-9", "0900 0100 09000000", 1_000_000_005n],
    ["10^-6 said again", "0900 0100 06000000", 1_000_000_005_000n],
    ["seconds", "0900 0100 00000000", 1_000_000_005n * 1_000_000_000n],
    ["2^-30", "0900 0100 9e000000", (1_000_000_005n * 1_000_000_000n) >> 30n],
    ["10^-127", "0900 0100 7f000000", 0n],
    ["later by 3 s", "0e00 0800 0300000000000000", 1_000_000_005_000n + 3_000_000_000n],
    ["earlier by 1 s", "0e00 0800 ffffffffffffffff", 1_000_000_005_000n - 1_000_000_000n],
    ["another option, padded", "0200 0500 6574683030000000", 1_000_000_005_000n],
    ["behind a padded option", "0200 0500 6574683030000000 0900 0100 09000000", 1_000_000_005n],
    ["behind the end of options", "0000 0000 0900 0100 09000000", 1_000_000_005_000n],
  ])("counts time as the interface says: %s", (_, option, timestamp) => {
    const [frame] = framesOf(hex(SECTION, described(option), packet("00000000", "00000000 05ca9a3b")));
    expect(frame?.timestamp).toBe(timestamp);
  });

  it("takes each interface's own units, and only those described in time", () => {
    const nanoseconds = described("0900 0100 09000000");
    const frames = framesOf(
      hex(
        SECTION,
        INTERFACE,
        nanoseconds,
        packet("01000000", "00000000 05000000"),
        packet("00000000", "00000000 05000000"),
      ),
    );
    expect(frames.map((frame) => [frame.interface, frame.timestamp])).toEqual([
      [1, 5n],
      [0, 5000n],
    ]);
  });

  it("minds the link type of an interface only when a frame came from it", () => {
    const other = INTERFACE.replace("0100 0000", "7100 0000");
    expect(framesOf(hex(SECTION, INTERFACE, other, packet("00000000", "00000000 05000000")))).toHaveLength(1);
    expect(complaintOf(hex(SECTION, INTERFACE, other, packet("01000000", "00000000 05000000")))).toEqual({
      code: "CAPTURE_LINK_TYPE",
      offset: 48,
      message: "interface 1, described at offset 48, has link type 113: only 1 (Ethernet) is read",
    });
  });
});

describe("a pcapng file that is not right", () => {
  it.each<[string, string[], string, number, string]>([
    [
      "no byte order",
      ["0a0d0d0a 1c000000 4d3c2b1b 0100 0000 ffffffffffffffff 1c000000"],
      "CAPTURE_INVALID",
      8,
      "the section header at offset 0 has byte-order magic 0x1b2b3c4d, not 0x1a2b3c4d in either order",
    ],
    [
      "half a section header",
      ["0a0d0d0a 1c000000 4d3c"],
      "CAPTURE_TRUNCATED",
      8,
      "the byte-order magic at offset 8 needs 4 bytes, 2 are left",
    ],
    [
      "another version",
      ["0a0d0d0a 1c000000 4d3c2b1a 0200 0100 ffffffffffffffff 1c000000"],
      "CAPTURE_INVALID",
      0,
      "the block at offset 0 says pcapng version 2.1, only 1.x is read",
    ],
    [
      "a section header without a version",
      ["0a0d0d0a 10000000 4d3c2b1a 10000000"],
      "CAPTURE_INVALID",
      0,
      "the block at offset 0 has a body of 4 bytes, its type needs 16",
    ],
    [
      "bytes behind the last block",
      [SECTION, "060000"],
      "CAPTURE_TRUNCATED",
      28,
      "the block header at offset 28 needs 8 bytes, 3 are left",
    ],
    [
      "a block that is cut",
      [SECTION, INTERFACE, PCAPNG_LITTLE[3].slice(0, -2)],
      "CAPTURE_TRUNCATED",
      48,
      "the block at offset 48 says 48 bytes, 47 are left",
    ],
    [
      "a block of no length",
      [SECTION, "05000000 00000000"],
      "CAPTURE_INVALID",
      28,
      "the block at offset 28 says 0 bytes: a block has a multiple of 4, at least 12",
    ],
    [
      "a block of odd length",
      [SECTION, "05000000 0d000000 00 0d000000"],
      "CAPTURE_INVALID",
      28,
      "the block at offset 28 says 13 bytes: a block has a multiple of 4, at least 12",
    ],
    [
      "a block with two lengths",
      [SECTION, "05000000 10000000 00000000 14000000"],
      "CAPTURE_INVALID",
      28,
      "the block at offset 28 says 16 bytes at its start and 20 at its end",
    ],
    [
      "an interface without a link type",
      [SECTION, "01000000 10000000 01000000 10000000"],
      "CAPTURE_INVALID",
      28,
      "the interface description at offset 28 has a body of 4 bytes, it needs 8",
    ],
    [
      "an option that is longer than its block",
      [SECTION, "01000000 18000000 01000000 00000000 09000500 18000000"],
      "CAPTURE_INVALID",
      44,
      "the option at offset 44 says 5 bytes, its block has 0 left",
    ],
    [
      "a packet of no interface",
      [SECTION, packet("00000000", "00000000 00000000")],
      "CAPTURE_INVALID",
      28,
      "the block at offset 28 names interface 0, its section has described 0 so far",
    ],
    [
      "a packet of the last section's interface",
      [SECTION, INTERFACE, SECTION, packet("00000000", "00000000 00000000")],
      "CAPTURE_INVALID",
      76,
      "the block at offset 76 names interface 0, its section has described 0 so far",
    ],
    [
      "a packet longer than its block",
      [SECTION, INTERFACE, packet("00000000", "00000000 00000000").replaceAll("05000000", "09000000")],
      "CAPTURE_TRUNCATED",
      48,
      "the block at offset 48 says 9 bytes, 8 are left",
    ],
    [
      "a packet block without its fields",
      [SECTION, INTERFACE, "06000000 10000000 00000000 10000000"],
      "CAPTURE_INVALID",
      48,
      "the block at offset 48 has a body of 4 bytes, its type needs 20",
    ],
    [
      "a simple packet longer than its block",
      [SECTION, INTERFACE, `03000000 18000000 3c000000 ${SECOND} 000000 18000000`],
      "CAPTURE_TRUNCATED",
      48,
      "the block at offset 48 says 60 bytes, 8 are left",
    ],
  ])("%s", (_, parts, code, offset, message) => {
    expect(complaintOf(hex(...parts))).toEqual({ code, offset, message });
  });
});
