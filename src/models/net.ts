/**
 * The network device (§5.1): frames over one receive and one transmit queue, on any NetWire.
 * Not here: the control queue and what needs it (filters, MQ, RSS, announcements), hash reports, USO, coalescing.
 *
 * A received frame waits in a backlog until it has its buffers; none is taken before, so an idle device holds no
 * chain. A reset of the device drops what waits and what the wire has not answered (§2.4.1). Through a queue reset,
 * and while the device doesn't serve its queues, the backlog stays; when it is full the oldest frame goes.
 */
import type { ConfigField, DeviceContext, DeviceModel } from "../device/model";
import { type NetHeader, PLAIN_NET_HEADER } from "../negotiation/net-header";
import { VIRTIO_NET_S_LINK_UP } from "../spec/net";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";
import { fillBuffers, giveBack, takeBuffers } from "./net-buffers";
import { type NetCounters, zeroCounters } from "./net-counters";
import { giveFrame, type NetFrame, type NetRules, netRules, takeFrame } from "./net-frame";
import { type NetOptions, netConfig, netOffers } from "./net-options";
import type { NetPlug, NetWire } from "./net-wire";

const RECEIVEQ = 0;
const TRANSMITQ = 1;

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
    this.count = zeroCounters();
    this.counters = this.count;
  }

  /** Frames of either direction that did not arrive. */
  get drops(): number {
    const { lost, malformed, unfit, missed } = this.count;
    return lost + malformed + unfit + missed;
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
    const { backlog, count } = this;
    let served = 0;
    for (let frame = backlog[0]; frame !== undefined && served < budget; frame = backlog[0]) {
      const { chains, suffice } = takeBuffers(queue, frame, rules, () => count.tooShort++);
      if (suffice) {
        fillBuffers(queue, frame, chains, rules);
        count.received++;
        served += chains.length;
      } else {
        giveBack(queue, chains);
        if (rules.isMergeable || chains.length === 0) break; // it waits for more
        count.unfit++;
      }
      backlog.shift();
    }
    return served;
  }
}
