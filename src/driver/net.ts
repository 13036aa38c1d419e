/**
 * A small network driver (§5.1.6): keeps the receive queue filled, sends and receives frames, joins those that came
 * in several buffers. It computes no checksum and cuts nothing: offloads are its user's, through the header.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import type { FeatureSet } from "../negotiation/feature-set";
import {
  isSegmented,
  type NetHeader,
  type NetOffloads,
  netHeaderBytes,
  netHeaderFault,
  netOffloads,
  PLAIN_NET_HEADER,
  readNetHeader,
  readNumBuffers,
  writeNetHeader,
} from "../negotiation/net-header";
import {
  VIRTIO_NET_ETH_HEADER_SIZE,
  VIRTIO_NET_FRAME_SIZE,
  VIRTIO_NET_FRAME_SIZE_MAX,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_F_RSC_INFO,
  VIRTIO_NET_HDR_FLAGS,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TYPE,
  VIRTIO_NET_HDR_SIZE,
} from "../spec/net";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { VirtioDriver } from "./driver";
import { type NetLink, readLink } from "./net-link";
import { buffersFor, NetSlab } from "./net-slab";
import type { Awaitable } from "./port";

/** A received frame, a view that lasts as long as the call, and what is left to do with it. */
export type NetReceiver = (frame: Uint8Array, header: NetHeader) => void;

/** How a network driver uses its queues. */
export interface NetDriverOptions {
  /**
   * Bytes of a receive buffer, header included. Default: what the largest frame needs, 65601 with GUEST_TSO4, TSO6 or
   * UFO and without MRG_RXBUF, else 1526 or mtu + 26 if that is more (§5.1.6.3.1).
   */
  readonly bufferBytes?: number;
  /** How many receive buffers. Default: as many as the queue may hold, within 1 MiB. */
  readonly receiveBuffers?: number;
  /** Largest frame that is sent, in bytes. Default: 65589 with HOST_TSO4, TSO6 or UFO, else 1514 or mtu + 14. */
  readonly frameBytes?: number;
  /** Most frames on their way out. Default: as many as the queue may hold, within 1 MiB. */
  readonly transmitSlots?: number;
  /** Put header and frame into an indirect table; the driver was made with `indirect` ≥ 2 then. Default false. */
  readonly indirect?: boolean;
}

/** Flags of a received header that mean something; the others are ignored (§5.1.6.4.2). */
const KNOWN_FLAGS = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_RSC_INFO;

const RECEIVEQ = 0;
const TRANSMITQ = 1;

/** Frames to and from one initialised network device. After a reset make a new one. */
export class NetDriver {
  /** The device's address, or a random one of its own if the device has none (§5.1.4.2). */
  readonly mac: Uint8Array;
  /** Largest packet without its Ethernet header, in bytes; undefined without MTU. */
  readonly mtu: number | undefined;
  /** Received frames that were dropped: shorter than their header, or longer than a frame can be. */
  malformed = 0;
  private readonly driver: VirtioDriver;
  private readonly core: Core;
  private readonly negotiated: FeatureSet;
  private readonly headerBytes: number;
  private readonly isMergeable: boolean;
  private readonly offloads: NetOffloads;
  private readonly frameBytes: number;
  private readonly receiveq: DriverQueue;
  private readonly transmitq: DriverQueue;
  private readonly incoming: NetSlab;
  private readonly outgoing: NetSlab;
  /** Linear addresses of the buffers that one `takeUsed` gave: their tokens' slots are free for others from then on. */
  private readonly arrivals: Float64Array;
  /** A frame that comes in several buffers, its header, and how many are still to come. */
  private readonly joined: Uint8Array;
  private joinedHeader: NetHeader = PLAIN_NET_HEADER;
  private joinedBytes = 0;
  private pending = 0;

  private constructor(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    negotiated: FeatureSet,
    device: { readonly mac: Uint8Array; readonly mtu: number | undefined },
    options: NetDriverOptions,
  ) {
    const [receiveq, transmitq] = driver.queues;
    if (receiveq === undefined || transmitq === undefined) throw notReady();
    this.driver = driver;
    this.core = core;
    this.negotiated = negotiated;
    this.mac = device.mac;
    this.mtu = device.mtu;
    this.receiveq = receiveq;
    this.transmitq = transmitq;
    this.headerBytes = netHeaderBytes(negotiated);
    this.isMergeable = negotiated.has("MRG_RXBUF", "net");
    this.offloads = netOffloads(negotiated, "HOST");
    const { headerBytes, offloads } = this;
    const indirect = options.indirect ?? false;
    const packetBytes = device.mtu === undefined ? 0 : device.mtu + VIRTIO_NET_ETH_HEADER_SIZE;
    const plainBytes = Math.max(packetBytes, VIRTIO_NET_FRAME_SIZE);
    this.frameBytes =
      options.frameBytes ?? (offloads.gso.size > 1 ? VIRTIO_NET_FRAME_SIZE_MAX : packetBytes || plainBytes);
    const isLarge = netOffloads(negotiated, "GUEST").gso.size > 1 && !this.isMergeable;
    const bytes =
      options.bufferBytes ?? VIRTIO_NET_HDR_SIZE + (isLarge ? VIRTIO_NET_FRAME_SIZE_MAX : plainBytes);
    const count = buffersFor(receiveq, bytes, options.receiveBuffers);
    // §5.1.4.2: a packet of mtu bytes must fit; §5.1.6.3.1: no buffer is smaller than the header.
    const room = this.isMergeable ? bytes * count : bytes;
    if (bytes <= headerBytes || room < packetBytes + headerBytes) {
      const text = `${count} receive buffers of ${bytes} bytes can't hold ${headerBytes} + ${packetBytes}`;
      throw new VirtioError("BAD_ARGUMENT", text, { section: "5.1.6.3.1" });
    }
    this.incoming = new NetSlab(core, allocator, receiveq, { count, bytes, headerBytes, indirect });
    const slot = this.frameBytes + headerBytes;
    const slots = buffersFor(transmitq, slot, options.transmitSlots);
    this.outgoing = new NetSlab(core, allocator, transmitq, {
      count: slots,
      bytes: slot,
      headerBytes,
      indirect,
    });
    this.arrivals = new Float64Array(receiveq.batch);
    this.joined = new Uint8Array(this.isMergeable ? VIRTIO_NET_FRAME_SIZE_MAX : 0);
  }

  /**
   * Takes over an initialised device: reads its address and MTU, takes guest memory, fills the receive queue.
   *
   * @throws VirtioError QUEUE_NOT_READY if the device is not initialised, BAD_ARGUMENT if guest memory or the buffers
   *   are too small
   */
  static async start(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    options: NetDriverOptions = {},
  ): Promise<NetDriver> {
    const { negotiated } = driver;
    if (negotiated === undefined) throw notReady();
    const [mac, mtu] = await driver.readConfigFields(["mac", "mtu"]);
    const device = {
      mac: negotiated.has("MAC", "net") ? macBytes(mac) : localMac(),
      mtu: negotiated.has("MTU", "net") ? Number(mtu) : undefined,
    };
    const net = new NetDriver(driver, core, allocator, negotiated, device, options);
    await net.supply();
    return net;
  }

  /** Frames on their way out. */
  get inFlight(): number {
    return this.outgoing.inFlight;
  }

  /** State and speed of the link, read anew; do so after each configuration change notification (§5.1.4.2). */
  link(): Promise<NetLink> {
    return readLink(this.driver, this.negotiated);
  }

  /**
   * Copies a frame into guest memory and adds it.
   *
   * @param frame from the destination address on, without a checksum at its end
   * @param header what the device is to do with it; default: nothing
   * @returns a token, 0 if nothing more fits now
   * @throws VirtioError BAD_ARGUMENT for a frame that is too long, or a header that was not negotiated (§5.1.6.2.1)
   */
  send(frame: Uint8Array, header: NetHeader = PLAIN_NET_HEADER): number {
    this.check(frame, header);
    const at = this.outgoing.next();
    if (at < 0) return 0;
    const bytes = this.core.bytes();
    // §5.1.6.2.1: num_buffers is zero.
    writeNetHeader(bytes, at, header, this.headerBytes === VIRTIO_NET_HDR_SIZE ? 0 : undefined);
    bytes.set(frame, at + this.headerBytes);
    return this.outgoing.addReadable(this.headerBytes + frame.length);
  }

  /** Shows the device what was added since, and notifies it if it wants that. */
  submit(): Awaitable<void> {
    return this.driver.kick(TRANSMITQ);
  }

  /**
   * Takes sent and received frames back, and supplies the receive buffers again.
   *
   * @param onFrame hears each received frame; it may send
   * @param onSent hears the token of each frame that the device is done with
   * @returns how many were received
   * @throws VirtioError DEVICE_NEEDS_RESET once the device said so
   */
  poll(onFrame: NetReceiver, onSent?: (token: number) => void): number {
    this.driver.poll();
    const { receiveq, transmitq } = this;
    for (let taken = transmitq.takeUsed(); taken > 0; taken = transmitq.takeUsed()) {
      for (let i = 0; i < taken; i++) this.outgoing.takeBack(transmitq.used.token(i));
      for (let i = 0; onSent !== undefined && i < taken; i++) onSent(transmitq.used.token(i));
    }
    let frames = 0;
    for (let taken = receiveq.takeUsed(); taken > 0; taken = receiveq.takeUsed()) {
      for (let i = 0; i < taken; i++) this.arrivals[i] = this.incoming.takeBack(receiveq.used.token(i));
      for (let i = 0; i < taken; i++) {
        if (this.arrived(this.arrivals[i] ?? 0, receiveq.used.length(i), onFrame)) frames++;
      }
    }
    const kicked = this.supply();
    // A port that fails here fails at the next call too, where somebody waits for the answer.
    if (kicked !== undefined) kicked.then(undefined, () => {});
    return frames;
  }

  /** Gives every free receive buffer to the device. */
  private supply(): Awaitable<void> {
    if (this.incoming.addWritable() === 0) return undefined;
    while (this.incoming.addWritable() !== 0);
    return this.driver.kick(RECEIVEQ);
  }

  /** Gives the guest memory back, after the device was reset. */
  dispose(): void {
    this.incoming.dispose();
    this.outgoing.dispose();
  }

  /** Looks at one used receive buffer; true when it completed a frame. */
  private arrived(at: number, length: number, onFrame: NetReceiver): boolean {
    const bytes = this.core.bytes();
    if (this.pending > 0) {
      this.join(bytes.subarray(at, at + length));
      return --this.pending === 0 && this.finish(onFrame);
    }
    if (length < this.headerBytes) {
      this.malformed++;
      return false;
    }
    const header = receivedHeader(bytes, at);
    const frame = bytes.subarray(at + this.headerBytes, at + length);
    const buffers = this.isMergeable ? readNumBuffers(bytes, at) : 1;
    if (buffers <= 1) {
      onFrame(frame, header);
      return true;
    }
    this.joinedHeader = header;
    this.joinedBytes = 0;
    this.pending = buffers - 1;
    this.join(frame);
    return false;
  }

  private join(part: Uint8Array): void {
    if (this.joinedBytes + part.length <= this.joined.length) this.joined.set(part, this.joinedBytes);
    this.joinedBytes += part.length;
  }

  private finish(onFrame: NetReceiver): boolean {
    if (this.joinedBytes > this.joined.length) {
      this.malformed++;
      return false;
    }
    onFrame(this.joined.subarray(0, this.joinedBytes), this.joinedHeader);
    return true;
  }

  private check(frame: Uint8Array, header: NetHeader): void {
    const { length } = frame;
    // §5.1.4.2: mtu bounds what is not to be segmented.
    const isPlainTooLong =
      this.mtu !== undefined && length > this.mtu + VIRTIO_NET_ETH_HEADER_SIZE && !isSegmented(header);
    let fault: string | undefined;
    if (length < VIRTIO_NET_ETH_HEADER_SIZE) fault = `${length} bytes are no frame`;
    else if (isPlainTooLong)
      fault = `a frame of ${length} bytes, the mtu is ${this.mtu} + ${VIRTIO_NET_ETH_HEADER_SIZE}`;
    else if (length > this.frameBytes) fault = `a frame of ${length} bytes, room is for ${this.frameBytes}`;
    else if (header !== PLAIN_NET_HEADER) {
      const other = header.flags & ~VIRTIO_NET_HDR_F_NEEDS_CSUM;
      fault =
        other === 0
          ? netHeaderFault(header, length, this.offloads)
          : `flags ${other} are the device's to set`;
    }
    if (fault !== undefined) throw new VirtioError("BAD_ARGUMENT", fault, { section: "5.1.6.2.1" });
  }
}

/** A received header without flags that nobody knows, and without a checksum place that means nothing (§5.1.6.4.2). */
function receivedHeader(bytes: Uint8Array, at: number): NetHeader {
  const flags = (bytes[at + VIRTIO_NET_HDR_FLAGS] ?? 0) & KNOWN_FLAGS;
  if (flags === 0 && bytes[at + VIRTIO_NET_HDR_GSO_TYPE] === VIRTIO_NET_HDR_GSO_NONE) return PLAIN_NET_HEADER;
  const header = readNetHeader(bytes, at);
  const isPartial = (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0 && (flags & VIRTIO_NET_HDR_F_RSC_INFO) === 0;
  return isPartial ? { ...header, flags } : { ...header, flags, csumStart: 0, csumOffset: 0 };
}

function macBytes(mac: number | bigint | undefined): Uint8Array {
  const value = BigInt(mac ?? 0);
  return Uint8Array.from({ length: 6 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

/** A random address that is locally administered and no group's (§5.1.4.2). */
function localMac(): Uint8Array {
  const mac = Uint8Array.from({ length: 6 }, () => Math.floor(Math.random() * 256));
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
  return mac;
}

function notReady(): VirtioError {
  return new VirtioError("QUEUE_NOT_READY", "the network device is not initialised");
}
