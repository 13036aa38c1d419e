import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture";
import { complaintOf, FIRST, framesOf, hex, PCAP_BIG, PCAP_LITTLE, SECOND } from "./golden";

const NANOSECONDS = { d4c3b2a1: "4d3cb2a1", a1b2c3d4: "a1b23c4d" } as const;

describe.each([
  ["little-endian", PCAP_LITTLE, "d4c3b2a1"],
  ["big-endian", PCAP_BIG, "a1b2c3d4"],
] as const)("pcap, %s", (_, parts, magic) => {
  it("gives frames, microseconds and both lengths", () => {
    expect(readCapture(hex(...parts)).format).toBe("pcap");
    expect(framesOf(hex(...parts))).toEqual([
      {
        bytes: hex(FIRST),
        timestamp: 1_000_000_000_000_005_000n,
        interface: 0,
        originalLength: 16,
        offset: 24,
      },
      {
        bytes: hex(SECOND),
        timestamp: 1_000_000_001_999_999_000n,
        interface: 0,
        originalLength: 60,
        offset: 56,
      },
    ]);
  });

  it("counts nanoseconds where the magic number says so", () => {
    const [header, ...records] = parts;
    const bytes = hex(header.replace(magic, NANOSECONDS[magic]), ...records);
    expect(framesOf(bytes).map(({ timestamp }) => timestamp)).toEqual([
      1_000_000_000_000_000_005n,
      1_000_000_001_000_999_999n,
    ]);
  });

  it("may hold nothing, and frames of no bytes", () => {
    expect(framesOf(hex(parts[0]))).toEqual([]);
    const [frame] = framesOf(hex(parts[0], "00000000 00000000 00000000 00000000"));
    expect(frame).toMatchObject({ bytes: new Uint8Array(0), originalLength: 0 });
  });
});

describe("pcap", () => {
  it("is Ethernet also where the upper half says that check sequences follow", () => {
    expect(framesOf(hex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000044"))).toEqual([]);
  });

  it("is read as often as wanted", () => {
    const capture = readCapture(hex(...PCAP_LITTLE));
    expect([...capture.frames()]).toHaveLength(2);
    expect([...capture.frames()]).toHaveLength(2);
  });
});

const HEADER = PCAP_LITTLE[0];

describe("a pcap file that is not right", () => {
  it.each<[string, Uint8Array, string, number, string]>([
    ["nothing", hex(""), "CAPTURE_TRUNCATED", 0, "the magic number at offset 0 needs 4 bytes, 0 are left"],
    [
      "half a header",
      hex(HEADER).slice(0, 23),
      "CAPTURE_TRUNCATED",
      0,
      "the file header at offset 0 needs 24 bytes, 23 are left",
    ],
    [
      "garbage",
      new TextEncoder().encode("hello, world"),
      "CAPTURE_INVALID",
      0,
      "the bytes 68 65 6c 6c at offset 0 begin neither pcap nor pcapng",
    ],
    [
      "gzip",
      hex("1f8b0800 00000000"),
      "CAPTURE_INVALID",
      0,
      "the bytes 1f 8b 08 00 at offset 0 begin neither pcap nor pcapng; it is compressed with gzip, unpack it first",
    ],
    [
      "the modified format",
      hex("34cdb2a1", HEADER.slice(8)),
      "CAPTURE_INVALID",
      0,
      "the bytes 34 cd b2 a1 at offset 0 begin neither pcap nor pcapng",
    ],
    [
      "an older version",
      hex("d4c3b2a1 0200 0300 00000000 00000000 00000400 01000000"),
      "CAPTURE_INVALID",
      4,
      "the file header at offset 4 says pcap version 2.3, only 2.4 is read",
    ],
    [
      "another link type",
      hex("d4c3b2a1 0200 0400 00000000 00000000 00000400 71000000"),
      "CAPTURE_LINK_TYPE",
      20,
      "the file header at offset 20 says link type 113: only 1 (Ethernet) is read",
    ],
    [
      "half a record header",
      hex(HEADER, PCAP_LITTLE[1], FIRST, "01ca9a3b"),
      "CAPTURE_TRUNCATED",
      56,
      "the record header at offset 56 needs 16 bytes, 4 are left",
    ],
    [
      "half a record",
      hex(...PCAP_LITTLE).slice(0, -1),
      "CAPTURE_TRUNCATED",
      56,
      "the record at offset 56 says 5 bytes, 4 are left",
    ],
    [
      "a length from nowhere",
      hex(HEADER, "00ca9a3b 05000000 ffffffff ffffffff"),
      "CAPTURE_TRUNCATED",
      24,
      "the record at offset 24 says 4294967295 bytes, 0 are left",
    ],
    [
      "a length that no capture has",
      hex(HEADER, "00ca9a3b 05000000 01000400 01000400", "00".repeat(0x40001)),
      "CAPTURE_INVALID",
      24,
      "the record at offset 24 says 262145 bytes, more than the 262144 of the longest record",
    ],
    [
      "more captured than there was",
      hex(HEADER, "00ca9a3b 05000000 05000000 04000000", SECOND),
      "CAPTURE_INVALID",
      24,
      "the record at offset 24 says 5 bytes of a frame of 4",
    ],
  ])("%s", (_, bytes, code, offset, message) => {
    expect(complaintOf(bytes)).toEqual({ code, offset, message });
  });

  it("gives the frames before the fault", () => {
    const seen: number[] = [];
    const bytes = hex(...PCAP_LITTLE).slice(0, -1);
    expect(() => {
      for (const { offset } of readCapture(bytes).frames()) seen.push(offset);
    }).toThrow("offset 56");
    expect(seen).toEqual([24]);
  });

  it("says so when the file has shrunk meanwhile", () => {
    const bytes = hex(...PCAP_LITTLE);
    const read = (offset: number, length: number) => bytes.subarray(0, 50).subarray(offset, offset + length);
    const { frames } = readCapture({ size: bytes.length, read });
    expect(() => [...frames()]).toThrow(
      "the record at offset 24 was 16 bytes long and is 10 now: the file changed",
    );
  });
});
