import { describe, expect, it } from "vitest";
import { withChecksum } from "../../src/models/net-checksum";
import { netHeader } from "./net-rig";

describe("withChecksum", () => {
  it("gives the checksum of RFC 1071's example", () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0, 0);
    const whole = withChecksum(bytes, netHeader({ csumOffset: 8 }));
    expect([...whole.subarray(8)]).toEqual([0x22, 0x0d]);
    expect(bytes[8]).toBe(0);
  });

  it("never gives zero, which would say that there is none", () => {
    const whole = withChecksum(Uint8Array.of(0xff, 0xff, 0, 0), netHeader({ csumOffset: 2 }));
    expect([...whole.subarray(2)]).toEqual([0xff, 0xff]);
  });
});
