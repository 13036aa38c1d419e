/**
 * The network device (§5.1): frames over one receive and one transmit queue, on any NetWire.
 * Not here: the control queue and what needs it (filters, MQ, RSS, announcements), hash reports, USO, coalescing.
 *
 * A received frame waits in a backlog until it has its buffers; none is taken before, so an idle device holds no
 * chain. A reset of the device drops what waits and what the wire has not answered (§2.4.1). Through a queue reset,
 * and while the device doesn't serve its queues, the backlog stays; when it is full the oldest frame goes.
 */
import type { ConfigField, DeviceContext, DeviceModel } from "../device/model";
import { type NetHeader, PLAIN_NET_HEADER, writeNetHeader } from "../negotiation/net-header";
import { VIRTIO_NET_HDR_SIZE, VIRTIO_NET_S_LINK_UP } from "../spec/net";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";
import { giveFrame, type NetFrame, type NetRules, netRules, takeFrame } from "./net-frame";
import { type NetIdentity, netConfig, netOffers } from "./net-options";
import type { NetPlug, NetWire } from "./net-wire";

/** What a network device is made with. */
export interface NetOptions extends NetIdentity {
  /** Where transmitted frames go; {@link NetModel.wire} can be set later. */
  readonly wire?: NetWire;
  /** Largest queue size, 1…32768. Default 256. */
  readonly queueSize?: number;
  /** Most received frames that wait for buffers, 1 and up. Default 256. */
  readonly backlog?: number;
  /** Hears why a wire failed; the driver is told nothing, as on a real link. */
  readonly onWireError?: (error: unknown) => void;
}

/** What became of the frames since the model was made. */
export interface NetCounters {
  /** Transmitted frames that the wire took. */
  transmitted: number;
  /** Transmitted frames that were lost: no wire, a wire that failed, or the link was down. */
  lost: number;
  /** Transmitted chains that hold no frame, or one that the negotiated set doesn't allow. */
  malformed: number;
  /** Frames that the driver got. */
  received: number;
  /** Frames for the driver that it can't take: too long for the MTU or the buffer, or in need of an offload. */
  unfit: number;
  /** Frames for the driver that were lost: not started, the link down, the backlog full, or a reset. */
  missed: number;
  /** Receive buffers that don't hold a header: given back empty. */
  tooShort: number;
}

const RECEIVEQ = 0;
const TRANSMITQ = 1;

const header = new Uint8Array(VIRTIO_NET_HDR_SIZE);

/** The device model of a network device. */
export class NetModel implements DeviceModel, NetPlug {
  readonly name = "net";
  readonly deviceId = 1;
  readonly deviceType = "net";
  readonly queues: DeviceModel["queues"];
  readonly offers: readonly string[];
  readonly config: readonly ConfigField[];
  readonly counters: Readonly<NetCounters>;
  /** Where transmitted frames go; undefined: nowhere. */
  wire: NetWire | undefined;
  private readonly options: NetOptions;
  private readonly count: NetCounters;
  private readonly backlog: NetFrame[] = [];
  private isUp = true;
  private context: DeviceContext | undefined;
  private rules: NetRules | undefined;

  /** @throws VirtioError BAD_ARGUMENT for options that contradict each other or the specification */
  constructor(options: NetOptions = {}) {
    this.options = options;
    this.wire = options.wire;
    this.offers = netOffers(options);
    this.config = netConfig(options, () => (this.isUp ? VIRTIO_NET_S_LINK_UP : 0));
    const maxSize = options.queueSize ?? 256;
    this.queues = [
      { name: "receiveq1", maxSize },
      { name: "transmitq1", maxSize },
    ];
    this.count = { transmitted: 0, lost: 0, malformed: 0, received: 0, unfit: 0, missed: 0, tooShort: 0 };
    this.counters = this.count;
  }

  /** Whether the cable is in: nothing passes without it. The driver is told if it knows STATUS (§5.1.4). */
  get linkUp(): boolean {
    return this.isUp;
  }

  set linkUp(up: boolean) {
    if (up === this.isUp) return;
    this.isUp = up;
    if (this.offers.includes("STATUS")) this.context?.configChanged();
  }

  start(context: DeviceContext): void {
    this.context = context;
    this.rules = netRules(context.negotiated, this.options.mtu);
  }

  reset(): void {
    this.context = undefined;
    this.rules = undefined;
    this.count.missed += this.backlog.splice(0).length;
  }

  /**
   * Takes a frame from the wire, for the driver; it arrives when the device is served next and there are buffers.
   *
   * @param frame from the destination address on, 14…65589 bytes; not copied, so don't change it any more
   * @param header what is left to do with it; default: nothing
   * @returns false: dropped and counted
   */
  receive(frame: Uint8Array, header: NetHeader = PLAIN_NET_HEADER): boolean {
    const { context, rules, backlog, count } = this;
    if (context === undefined || rules === undefined || !this.isUp) {
      count.missed++;
      return false;
    }
    const given = giveFrame(frame, header, rules);
    if (given === undefined) {
      count.unfit++;
      return false;
    }
    if (backlog.length >= (this.options.backlog ?? 256)) {
      backlog.shift();
      count.missed++;
    }
    backlog.push(given);
    context.finish(RECEIVEQ); // has the queue looked at
    return true;
  }

  process(index: number, queue: DeviceQueue, budget: number): number {
    const { context, rules } = this;
    if (context === undefined || rules === undefined) return 0;
    if (index === RECEIVEQ) return this.deliver(queue, budget, rules);
    let served = 0;
    while (served < budget && queue.alive) {
      const taken = queue.take(budget - served);
      if (taken === 0) break;
      for (let i = 0; i < taken && queue.alive; i++) this.transmit(context, queue, queue.chain(i), rules);
      served += taken;
    }
    return served;
  }

  /** Sends one chain's frame. The chain is used with length 0: nothing was written (§2.7.8.2). */
  private transmit(context: DeviceContext, queue: DeviceQueue, chain: Chain, rules: NetRules): void {
    const { token } = chain;
    const frame = takeFrame(chain, rules);
    const sent = this.sent(frame);
    const finish = () => {
      if (queue.alive && queue.error === undefined) queue.complete(token, 0);
    };
    if (sent === undefined) {
      finish();
      return;
    }
    const late = (settle: () => void) => {
      settle();
      finish();
      context.finish(TRANSMITQ);
    };
    context.later(
      sent,
      () => late(() => this.count.transmitted++),
      (error) => late(() => this.failed(error)),
    );
  }

  /** Hands a frame to the wire and counts it, unless the wire takes its time. */
  private sent(frame: NetFrame | undefined): Promise<void> | undefined {
    const { count, wire } = this;
    if (frame === undefined) count.malformed++;
    else if (wire === undefined || !this.isUp) count.lost++;
    else {
      try {
        const sent = wire.send(frame.bytes, frame.header);
        if (sent !== undefined) return sent;
        count.transmitted++;
      } catch (error) {
        this.failed(error);
      }
    }
    return undefined;
  }

  private failed(error: unknown): void {
    this.count.lost++;
    this.options.onWireError?.(error);
  }

  /** Gives the driver what waits, as long as there are buffers for it; how many it took. */
  private deliver(queue: DeviceQueue, budget: number, rules: NetRules): number {
    let served = 0;
    for (let next = this.backlog[0]; next !== undefined && served < budget; next = this.backlog[0]) {
      const used = this.place(queue, next, rules);
      if (used === undefined) break;
      this.backlog.shift();
      served += used;
    }
    return served;
  }

  /** Puts a frame into buffers: how many it used, 0 if it was dropped, undefined if it has to wait for more. */
  private place(queue: DeviceQueue, frame: NetFrame, rules: NetRules): number | undefined {
    const { headerBytes, isMergeable } = rules;
    const bytes = headerBytes + frame.bytes.length;
    const chains: Chain[] = [];
    let room = 0;
    while (room < bytes && (isMergeable || chains.length === 0) && queue.take(1) === 1) {
      const chain = queue.chain(0);
      if (chains.length === 0 && chain.writableBytes < headerBytes) {
        this.count.tooShort++;
        queue.complete(chain.token, 0);
        continue;
      }
      room += chain.writableBytes;
      chains.push(room < bytes ? chain.keep() : chain);
    }
    if (room >= bytes) return this.fill(queue, frame, chains, headerBytes);
    for (const { token } of chains.reverse()) queue.undo(token);
    if (isMergeable || chains.length === 0) return undefined;
    this.count.unfit++;
    return 0;
  }

  /** Writes a frame into buffers that hold it, each but the last one to its end, and uses them (§5.1.6.4.1). */
  private fill(queue: DeviceQueue, frame: NetFrame, chains: readonly Chain[], headerBytes: number): number {
    writeNetHeader(header, 0, frame.header, chains.length);
    let rest = frame.bytes;
    for (const [i, chain] of chains.entries()) {
      const writer = chain.writer();
      if (i === 0) writer.write(header.subarray(0, headerBytes));
      const part = rest.subarray(0, writer.remaining);
      writer.write(part);
      rest = rest.subarray(part.length);
      queue.complete(chain.token, writer.written);
    }
    this.count.received++;
    return chains.length;
  }
}
