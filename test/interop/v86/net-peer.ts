/**
 * Another machine on the guest's network: answers ARP, echoes pings, and echoes what comes over TCP, to any port. Nothing
 * is ever lost on this wire: it resends nothing, and counts a gap.
 */
import type { NetPlug } from "../../../src/models/net-wire";

const ARP = 0x0806;
const IPV4 = 0x0800;
const ICMP = 1;
const TCP = 6;
const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];
/** Ethernet and IP headers; options are not sent. */
const ETHERNET = 14;
const IP = 20;
/** Data bytes of a segment, at an MTU of 1500. */
const MSS = 1460;
const WINDOW = 0xffff;

/** What the peer has seen. */
export interface PeerCounts {
  pings: number;
  /** Payload bytes received over TCP. */
  received: number;
  /** Frames that are broken: a wrong checksum, or a hole in a TCP stream. */
  broken: number;
}

export class NetPeer {
  readonly counts: PeerCounts = { pings: 0, received: 0, broken: 0 };
  private readonly net: NetPlug;
  private readonly mac: Buffer;
  private readonly address: Buffer;
  private readonly streams = new Map<number, EchoStream>();

  /** Plugs the wire of `net`. @param address "10.0.0.1" */
  constructor(net: NetPlug, address: string) {
    this.net = net;
    this.mac = Buffer.from([2, 0, 0, 0, 0, 1]);
    this.address = Buffer.from(address.split(".").map(Number));
    net.wire = { send: (frame) => this.take(Buffer.from(frame)) };
  }

  private take(frame: Buffer): void {
    const type = frame.readUInt16BE(12);
    if (type === ARP) this.arp(frame);
    else if (type === IPV4 && frame.subarray(30, 34).equals(this.address)) this.ip(frame);
  }

  private arp(frame: Buffer): void {
    if (frame.readUInt16BE(20) !== 1 || !frame.subarray(38, 42).equals(this.address)) return;
    const reply = Buffer.from(frame);
    reply.writeUInt16BE(2, 20);
    frame.copy(reply, 32, 22, 32);
    this.mac.copy(reply, 22);
    this.address.copy(reply, 28);
    this.send(frame, reply);
  }

  private ip(frame: Buffer): void {
    const header = frame.subarray(ETHERNET, ETHERNET + 4 * ((frame[ETHERNET] ?? 0) & 15));
    const packet = frame.subarray(ETHERNET, ETHERNET + frame.readUInt16BE(16));
    const payload = packet.subarray(header.length);
    const [protocol] = frame.subarray(23);
    const pseudo = protocol === TCP ? pseudoHeader(frame, payload.length) : Buffer.alloc(0);
    if (checksum(header) !== 0 || checksum(Buffer.concat([pseudo, payload])) !== 0) this.counts.broken++;
    else if (protocol === ICMP && payload[0] === 8) this.ping(frame, payload);
    else if (protocol === TCP) this.tcp(frame, payload);
  }

  private ping(frame: Buffer, request: Buffer): void {
    this.counts.pings++;
    const reply = Buffer.from(request);
    reply.writeUInt32BE(0, 0);
    reply.writeUInt16BE(checksum(reply), 2);
    this.sendIp(frame, ICMP, reply);
  }

  private tcp(frame: Buffer, segment: Buffer): void {
    const port = segment.readUInt16BE(0);
    if (((segment[13] ?? 0) & SYN) !== 0) {
      this.streams.set(
        port,
        new EchoStream(segment, this.counts, (reply) => {
          reply.writeUInt16BE(checksum(Buffer.concat([pseudoHeader(frame, reply.length), reply])), 16);
          this.sendIp(frame, TCP, reply);
        }),
      );
    }
    this.streams.get(port)?.take(segment);
  }

  /** Sends a packet back to where a frame came from. */
  private sendIp(to: Buffer, protocol: number, payload: Buffer): void {
    const packet = Buffer.alloc(ETHERNET + IP + payload.length);
    packet.writeUInt16BE(IPV4, 12);
    packet[14] = 0x45;
    packet.writeUInt16BE(IP + payload.length, 16);
    packet[22] = 64;
    packet[23] = protocol;
    this.address.copy(packet, 26);
    to.copy(packet, 30, 26, 30);
    packet.writeUInt16BE(checksum(packet.subarray(ETHERNET, ETHERNET + IP)), 24);
    payload.copy(packet, ETHERNET + IP);
    this.send(to, packet);
  }

  private send(to: Buffer, frame: Buffer): void {
    to.copy(frame, 0, 6, 12);
    this.mac.copy(frame, 6);
    this.net.receive(frame);
  }
}

/** One connection, the peer's end of it. */
class EchoStream {
  private readonly ports: readonly [own: number, other: number];
  private readonly counts: PeerCounts;
  private readonly send: (segment: Buffer) => void;
  private expected: number;
  private sent = 1;
  private acknowledged = 1;
  private window = 0;
  private isClosing = false;
  private hasClosed = false;
  /** What was received; its bytes from `sent` - 1 on are still to be sent back. */
  private echo = Buffer.alloc(0);

  constructor(syn: Buffer, counts: PeerCounts, send: (segment: Buffer) => void) {
    this.ports = [syn.readUInt16BE(2), syn.readUInt16BE(0)];
    this.expected = syn.readUInt32BE(4);
    this.counts = counts;
    this.send = send;
  }

  take(segment: Buffer): void {
    const [flags = 0] = segment.subarray(13);
    const data = segment.subarray(4 * ((segment[12] ?? 0) >> 4));
    if ((flags & RST) !== 0) return;
    const ahead = (segment.readUInt32BE(4) - this.expected) | 0;
    if (ahead > 0) this.counts.broken++;
    else if (ahead < 0) this.reply(this.sent, ACK);
    if (ahead !== 0) return;
    this.window = segment.readUInt16BE(14);
    if ((flags & SYN) !== 0) {
      this.expected = (this.expected + 1) >>> 0;
      this.reply(0, SYN | ACK, Buffer.of(2, 4, MSS >> 8, MSS & 0xff));
      return;
    }
    this.acknowledged = segment.readUInt32BE(8);
    this.expected = (this.expected + data.length + ((flags & FIN) === 0 ? 0 : 1)) >>> 0;
    this.counts.received += data.length;
    this.echo = Buffer.concat([this.echo, data]);
    this.isClosing ||= (flags & FIN) !== 0;
    const before = this.sent;
    this.sendBack();
    const hasAnswered = this.sent !== before;
    if (!hasAnswered && (data.length > 0 || (flags & FIN) !== 0)) this.reply(this.sent, ACK);
  }

  private sendBack(): void {
    for (;;) {
      const room = this.acknowledged + this.window - this.sent;
      const part = this.echo.subarray(this.sent - 1, this.sent - 1 + Math.min(MSS, room));
      if (part.length === 0) break;
      this.reply(this.sent, ACK | PSH, Buffer.alloc(0), part);
      this.sent += part.length;
    }
    if (!this.isClosing || this.hasClosed || this.sent <= this.echo.length) return;
    this.hasClosed = true;
    this.reply(this.sent, ACK | FIN);
    this.sent++;
  }

  private reply(sequence: number, flags: number, options = Buffer.alloc(0), data = Buffer.alloc(0)): void {
    const header = Buffer.alloc(20);
    header.writeUInt16BE(this.ports[0], 0);
    header.writeUInt16BE(this.ports[1], 2);
    header.writeUInt32BE(sequence, 4);
    header.writeUInt32BE(this.expected, 8);
    header[12] = (5 + options.length / 4) << 4;
    header[13] = flags;
    header.writeUInt16BE(WINDOW, 14);
    this.send(Buffer.concat([header, options, data]));
  }
}

/** Source, destination, protocol and length of a TCP segment, as its checksum counts them; the same both ways. */
function pseudoHeader(frame: Buffer, length: number): Buffer {
  return Buffer.concat([frame.subarray(26, 34), Buffer.of(0, TCP, length >> 8, length & 0xff)]);
}

/** Over 16-bit words, big-endian; 0 for what contains its own. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
