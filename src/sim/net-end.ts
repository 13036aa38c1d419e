/**
 * One end of a cable: a network device on a loopback, its driver, and every notification between them counted.
 * What is sent, and what the cable does to it, is capture.ts's business.
 */
import type { Core } from "../core/core";
import type { VirtioDevice } from "../device/device";
import type { InitializeResult, VirtioDriver } from "../driver/driver";
import { NetDriver, type NetReceiver } from "../driver/net";
import { NET_DRIVER_FEATURES, netProbe, netValidate } from "../driver/net-features";
import type { NetDriverOptions } from "../driver/net-sizes";
import { VirtioError } from "../errors";
import { NetModel } from "../models/net";
import type { Transcript } from "../trace/transcript";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import { ringAreas } from "../virtqueue/layout";
import { type Agreement, agreementOf, checkWishes } from "./agreement";
import { observed } from "./observed-model";
import { splitByType } from "./own-features";
import { Pair } from "./pair";
import type { NegotiationOptions } from "./session";

/** What an end is made of. */
export interface NetEndOptions extends NegotiationOptions {
  readonly core: Core;
  readonly allocator: GuestAllocator;
  readonly transcript: Transcript;
  /** Which end it is, in the transcript. */
  readonly label: string;
  readonly queueSize: number;
  readonly indirect: boolean;
  readonly mac: string;
  readonly mtu: number;
  /** Most chains that the device serves before it publishes, and frames that wait for buffers. */
  readonly share: number;
  /** Sizes and numbers of the driver's buffers. */
  readonly buffers: Required<Omit<NetDriverOptions, "indirect">>;
}

/** Header and frame: the entries of an indirect table. */
const BUFFERS = 2;
const QUEUES = 2;

/** A network device and its driver. */
export class NetEnd {
  readonly model: NetModel;
  readonly result: InitializeResult;
  readonly counters: Counters;
  private readonly device: VirtioDevice;
  private readonly driver: VirtioDriver;
  private readonly options: NetEndOptions;
  private readonly frames: NetDriver | undefined;

  private constructor(options: NetEndOptions, parts: Parts, result: InitializeResult, frames?: NetDriver) {
    this.options = options;
    this.model = parts.model;
    this.device = parts.device;
    this.driver = parts.driver;
    this.counters = parts.counters;
    this.result = result;
    this.frames = frames;
  }

  /**
   * Makes both sides, has them negotiate, and fills the receive queue.
   *
   * @throws VirtioError as `simulate`; a refusal is a result
   */
  static async open(options: NetEndOptions): Promise<NetEnd> {
    const parts = makeParts(options);
    const { driver, device } = parts;
    const result = await driver.initialize();
    if (!result.ok) return new NetEnd(options, parts, result);
    for (const queue of driver.queues) checkWishes(queue, device, options);
    const { core, allocator, buffers, indirect } = options;
    return new NetEnd(
      options,
      parts,
      result,
      await NetDriver.start(driver, core, allocator, { ...buffers, indirect }),
    );
  }

  /** Guest bytes for the rings and indirect tables of one end. */
  static guestBytes(queueSize: number, indirect: boolean): number {
    const { descriptor, driver, device } = ringAreas("split", queueSize);
    const ring = descriptor.bytes + driver.bytes + device.bytes + 64;
    return QUEUES * (ring + (indirect ? queueSize * BUFFERS * 16 : 0));
  }

  /** The network driver. @throws VirtioError QUEUE_NOT_READY after a refusal */
  get net(): NetDriver {
    if (this.frames === undefined) throw new VirtioError("QUEUE_NOT_READY", "nothing was negotiated");
    return this.frames;
  }

  /** Lets the device serve its queues until there is nothing more to do. */
  serve(): void {
    while (this.device.hasWork) this.device.process();
  }

  /**
   * Takes back what was used, with used buffer notifications off meanwhile.
   *
   * @returns frames received
   */
  poll(onFrame: NetReceiver): number {
    const { net, driver } = this;
    for (const queue of driver.queues) queue.disarm();
    let frames = net.poll(onFrame);
    // What was used before notifications were on again is not notified of (§2.7.14).
    while (driver.queues.filter((queue) => queue.arm()).length > 0) frames += net.poll(onFrame);
    return frames;
  }

  /** What a report says of the negotiation. */
  agreement(): Agreement {
    const { device, driver, result, options } = this;
    return agreementOf({ device, driver, result, transcript: options.transcript, label: options.label });
  }
}

/** Sent is what arrived at the other side; a publish that sent nothing suppressed one. */
interface Counters {
  readonly available: { sent: number; suppressed: number };
  readonly used: { sent: number; suppressed: number };
  /** Chains that the device served. */
  chains: number;
}

interface Parts {
  readonly model: NetModel;
  readonly device: VirtioDevice;
  readonly driver: VirtioDriver;
  readonly counters: Counters;
}

function makeParts(options: NetEndOptions): Parts {
  const { mac, mtu, share, queueSize, indirect, offer: offered, accept: accepted, ...others } = options;
  const counters: Counters = {
    available: { sent: 0, suppressed: 0 },
    used: { sent: 0, suppressed: 0 },
    chains: 0,
  };
  const offer = splitByType(offered, "net");
  const accept = splitByType(accepted, "net");
  const model = new NetModel({
    mac,
    mtu,
    queueSize,
    backlog: share,
    ...(offer && offer.own.length > 0 ? { offers: offer.own } : {}),
  });
  const onServed = (chains: number) => {
    counters.chains += chains;
    counters.used.suppressed++;
  };
  const pair = new Pair({
    validate: netValidate,
    ...others,
    model: observed(model, onServed),
    share,
    queueSize,
    indirect: indirect ? BUFFERS : 0,
    probe: netProbe,
    ...(offer ? { offer: offer.ring } : {}),
    ...(accept
      ? { accept: [...accept.ring, ...(accept.own.length > 0 ? accept.own : NET_DRIVER_FEATURES)] }
      : {}),
    onPublish: (_queue, isNotified) => counters.available[isNotified ? "sent" : "suppressed"]++,
    onUsed: () => {
      // The publish that caused it was counted as suppressed when the model was served.
      counters.used.suppressed--;
      counters.used.sent++;
    },
  });
  return { model, device: pair.device, driver: pair.driver, counters };
}
