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
  readNumBuffers,
  receivedNetHeader,
  writeNetHeader,
} from "../negotiation/net-header";
import {
  VIRTIO_NET_ETH_HEADER_SIZE,
  VIRTIO_NET_FRAME_SIZE_MAX,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_SIZE,
} from "../spec/net";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { VirtioDriver } from "./driver";
import { localMac, macBytes, type NetLink, readLink } from "./net-link";
import { type NetDriverOptions, netSizes } from "./net-sizes";
import { NetSlab } from "./net-slab";
import type { Awaitable } from "./port";

/** A received frame, a view that lasts as long as the call, and what is left to do with it. */
export type NetReceiver = (frame: Uint8Array, header: NetHeader) => void;

const RECEIVEQ = 0;
const TRANSMITQ = 1;

/** Frames to and from one initialised network device. After a reset make a new one. */
export class NetDriver {
  /** The device's address, or a random one of its own if the device has none (§5.1.4.2). */
  readonly mac: Uint8Array;
  /** Largest packet without its Ethernet header, in bytes; undefined without MTU. */
  readonly mtu: number | undefined;
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
  private dropped = 0;

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
    const shape = { headerBytes: this.headerBytes, indirect: options.indirect ?? false };
    const sizes = netSizes(negotiated, device.mtu, options, receiveq.size, transmitq.size);
    this.frameBytes = sizes.frameBytes;
    this.incoming = new NetSlab(core, allocator, receiveq, { ...sizes.receive, ...shape });
    try {
      this.outgoing = new NetSlab(core, allocator, transmitq, { ...sizes.transmit, ...shape });
    } catch (error) {
      this.incoming.dispose();
      throw error;
    }
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
    const device = {
      mac: negotiated.has("MAC", "net") ? macBytes(await driver.readConfigField("mac")) : localMac(),
      mtu: negotiated.has("MTU", "net") ? Number(await driver.readConfigField("mtu")) : undefined,
    };
    const net = new NetDriver(driver, core, allocator, negotiated, device, options);
    await net.supply();
    return net;
  }

  /** Frames on their way out. */
  get inFlight(): number {
    return this.outgoing.inFlight;
  }

  /** Received frames that were dropped: shorter than their header, or longer than a frame can be. */
  get malformed(): number {
    return this.dropped;
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
      this.dropped++;
      return false;
    }
    const header = receivedNetHeader(bytes, at);
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
      this.dropped++;
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

function notReady(): VirtioError {
  return new VirtioError("QUEUE_NOT_READY", "the network device is not initialised");
}
