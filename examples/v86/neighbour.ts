/**
 * Another machine on the guest's network, as small as one can be: it answers ARP and pings by sending the question back with
 * the addresses exchanged. The sums over the addresses stay as they were; only the ICMP type changes its checksum.
 */
import type { NetModel } from "virtq/models";

const MAC = [2, 0, 0, 0, 0, 1];
const TYPE = 12;
const ARP = { type: 0x0806, operation: 20, sender: 22, target: 32, address: 38, request: 1, reply: 2 };
const IP = { type: 0x0800, protocol: 23, source: 26, target: 30, icmp: 1 };
/** Behind an IP header without options. */
const ICMP = { type: 34, checksum: 36, request: 8 };
const LEAST = 42;

/** Plugs the wire. @param address of the neighbour, "10.0.0.1" */
export function plugNeighbour(net: NetModel, address: string): void {
  const own = address.split(".").map(Number);
  net.wire = {
    send: (question) => {
      const answer = answerTo(question, own);
      if (answer !== undefined) net.receive(answer);
    },
  };
}

function answerTo(question: Uint8Array, own: readonly number[]): Uint8Array | undefined {
  if (question.length < LEAST) return undefined;
  const frame = question.slice();
  const view = new DataView(frame.buffer);
  const isMine = (at: number) => own.every((byte, i) => frame[at + i] === byte);
  frame.copyWithin(0, 6, 12);
  frame.set(MAC, 6);
  if (view.getUint16(TYPE) === ARP.type && isMine(ARP.address)) {
    if (view.getUint16(ARP.operation) !== ARP.request) return undefined;
    view.setUint16(ARP.operation, ARP.reply);
    frame.copyWithin(ARP.target, ARP.sender, ARP.target);
    frame.set([...MAC, ...own], ARP.sender);
    return frame;
  }
  const isPing = frame[IP.protocol] === IP.icmp && frame[ICMP.type] === ICMP.request;
  if (view.getUint16(TYPE) !== IP.type || !isMine(IP.target) || !isPing) return undefined;
  frame.copyWithin(IP.target, IP.source, IP.target);
  frame.set(own, IP.source);
  frame[ICMP.type] = 0;
  const sum = view.getUint16(ICMP.checksum) + (ICMP.request << 8);
  view.setUint16(ICMP.checksum, (sum & 0xffff) + (sum >>> 16));
  return frame;
}
