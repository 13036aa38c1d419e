import { describe, expect, it } from "vitest";
import { NetModel } from "../../src/models/net";
import type { NetOptions } from "../../src/models/net-options";

describe("options", () => {
  it.each<[NetOptions, readonly string[]]>([
    [{}, ["MRG_RXBUF", "STATUS"]],
    [{ mac: "52:54:00:12:34:56", mtu: 1500 }, ["MTU", "MAC", "MRG_RXBUF", "STATUS"]],
    [{ duplex: "full" }, ["MRG_RXBUF", "STATUS", "SPEED_DUPLEX"]],
    [{ offers: [] }, []],
  ])("%j offer what they give", (options, offers) => {
    expect(new NetModel(options).offers).toEqual(offers);
  });

  it.each<[NetOptions, string]>([
    [{ offers: ["CTRL_VQ"] }, "the net model cannot offer CTRL_VQ, only CSUM, GUEST_CSUM, MTU, MAC"],
    [{ offers: ["MRG_RXBUFF"] }, "did you mean MRG_RXBUF?"],
    [{ offers: ["MAC"] }, "MAC is offered without a value for it"],
    [{ offers: ["SPEED_DUPLEX"] }, "SPEED_DUPLEX is offered without a value for it"],
    [{ mac: "52:54:00:12:34" }, '"52:54:00:12:34" is no address like 52:54:00:12:34:56'],
    [{ speed: -1 }, "speed -1 is not within 0…2147483647"],
  ])("%j are refused", (options, message) => {
    expect(() => new NetModel(options)).toThrow(message);
  });
});
