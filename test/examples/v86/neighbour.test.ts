/** The other machine on the guest's network answers what is for it, and nothing else. */
import { NetModel } from "virtq/models";
import { describe, expect, it } from "vitest";
import { plugNeighbour } from "../../../examples/v86/neighbour";

const GUEST = { mac: [0x52, 0x54, 0, 0x12, 0x34, 0x56], ip: [10, 0, 0, 2] };
const NEIGHBOUR = { mac: [2, 0, 0, 0, 0, 1], ip: [10, 0, 0, 1] };
const ALL = new Array<number>(6).fill(0xff);

/** What comes back for a frame. */
function answersTo(frame: readonly number[]): number[][] {
  const net = new NetModel({ mac: "52:54:00:12:34:56" });
  const answers: number[][] = [];
  net.receive = (answer) => answers.push([...answer]) > 0;
  plugNeighbour(net, "10.0.0.1");
  void net.wire?.send(Uint8Array.from(frame), {} as never);
  return answers;
}

/** The sum that is 0 over what contains its own. */
function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function withChecksum(bytes: readonly number[], at: number): number[] {
  const sum = checksum(bytes);
  return [...bytes.slice(0, at), sum >> 8, sum & 0xff, ...bytes.slice(at + 2)];
}

function arp(target: readonly number[], operation = 1): number[] {
  const head = [...ALL, ...GUEST.mac, 8, 6, 0, 1, 8, 0, 6, 4, 0, operation];
  return [...head, ...GUEST.mac, ...GUEST.ip, 0, 0, 0, 0, 0, 0, ...target];
}

function ping(target: readonly number[], data: readonly number[], type = 8): number[] {
  const icmp = withChecksum([type, 0, 0, 0, 0x12, 0x34, 0, 1, ...data], 2);
  const bytes = 20 + icmp.length;
  const header = [0x45, 0, bytes >> 8, bytes & 0xff, 0, 0, 0x40, 0, 64, 1, 0, 0, ...GUEST.ip, ...target];
  return [...NEIGHBOUR.mac, ...GUEST.mac, 8, 0, ...withChecksum(header, 10), ...icmp];
}

describe("the neighbour", () => {
  it("says whose its address is", () => {
    const head = [...GUEST.mac, ...NEIGHBOUR.mac, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2];
    const own = [...NEIGHBOUR.mac, ...NEIGHBOUR.ip, ...GUEST.mac, ...GUEST.ip];
    expect(answersTo(arp(NEIGHBOUR.ip))).toEqual([[...head, ...own]]);
  });

  it.each([
    ["no data", []],
    ["data", Array.from({ length: 56 }, (_, i) => i)],
    ["data that make the checksum carry", [0xe5, 0xcb]],
  ])("answers a ping with %s", (_, data) => {
    const [answer = []] = answersTo(ping(NEIGHBOUR.ip, data));
    expect(answer.slice(0, 14)).toEqual([...GUEST.mac, ...NEIGHBOUR.mac, 8, 0]);
    expect(answer.slice(26, 34)).toEqual([...NEIGHBOUR.ip, ...GUEST.ip]);
    expect([checksum(answer.slice(14, 34)), checksum(answer.slice(34)), answer[34]]).toEqual([0, 0, 0]);
    expect(answer.slice(38)).toEqual(ping(NEIGHBOUR.ip, data).slice(38));
  });

  it.each([
    ["an ARP request for another", arp([10, 0, 0, 9])],
    ["an ARP reply", arp(NEIGHBOUR.ip, 2)],
    ["a ping for another", ping([10, 0, 0, 9], [])],
    ["an answer to a ping", ping(NEIGHBOUR.ip, [], 0)],
    ["a frame that is too short", ping(NEIGHBOUR.ip, []).slice(0, 41)],
  ])("leaves %s alone", (_, frame) => {
    expect(answersTo(frame)).toEqual([]);
  });
});
