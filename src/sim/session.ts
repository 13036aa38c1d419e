/**
 * One driver and one device on a loopback, negotiated, with everything counted that passes between them. Workloads
 * (echo-run.ts, disk.ts) move chains through it; nothing here knows what is in them.
 */
import type { Core } from "../core/core";
import type { VirtioDevice } from "../device/device";
import type { DeviceModel } from "../device/model";
import type { DeviceProfile } from "../device/profiles";
import type { InitializeResult, VirtioDriver } from "../driver/driver";
import type { InitialisationOptions } from "../driver/initialisation";
import type { DriverProfile } from "../driver/profiles";
import { VirtioError } from "../errors";
import type { EventSink } from "../negotiation/control-event";
import { Transcript } from "../trace/transcript";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import { ringAreas } from "../virtqueue/layout";
import { type Agreement, agreementOf, checkWishes } from "./agreement";
import { observed } from "./observed-model";
import { Pair } from "./pair";

/** Who negotiates, and how: the part of the options that every simulation has. */
export interface NegotiationOptions {
  /** Features of the ring that the device offers. Default: all that its profile has. */
  readonly offer?: readonly string[];
  /** Features that the driver knows; it accepts those that are offered. Default: as offered. */
  readonly accept?: readonly string[];
  /** How the device behaves. Default "strict". */
  readonly deviceProfile?: DeviceProfile | string;
  /** In which order the driver goes. Default "linux-current". */
  readonly driverProfile?: DriverProfile | string;
  /** Descriptors in the ring, 1…32768; a power of two for the split layout. Default 256. */
  readonly queueSize?: number;
  /** Put every chain into an indirect table. Default false. */
  readonly indirect?: boolean;
  /** Looks at the configuration before FEATURES_OK and may drop features. */
  readonly validate?: NonNullable<InitialisationOptions["validate"]>;
  /** Hears of every step on the control plane. */
  readonly onEvent?: EventSink;
}

/** What a session needs besides. */
export interface SessionOptions extends NegotiationOptions {
  readonly core: Core;
  readonly allocator?: GuestAllocator;
  readonly model: DeviceModel;
  /** Most buffers of one chain. */
  readonly buffers: number;
  /** Most chains that the device serves before it publishes. */
  readonly share: number;
  /** Where events go besides; default: a transcript of the session's own. */
  readonly transcript?: Transcript;
  /** Which device this is, when several share a transcript. */
  readonly label?: string;
}

/** Default of `queueSize`. */
export const QUEUE_SIZE = 256;

/** A driver, a device and what they agreed on. */
export class Session {
  readonly core: Core;
  readonly allocator: GuestAllocator;
  readonly device: VirtioDevice;
  readonly driver: VirtioDriver;
  readonly transcript: Transcript;
  /** Sent is what arrived at the other side; a publish that sent nothing suppressed one. */
  readonly notifications = { available: { sent: 0, suppressed: 0 }, used: { sent: 0, suppressed: 0 } };
  private outcome: InitializeResult = { ok: false, code: "STATUS_SEQUENCE", reason: "not initialised" };
  private usedPending = false;
  private readonly options: SessionOptions;

  private constructor(options: SessionOptions) {
    this.options = options;
    this.transcript = options.transcript ?? new Transcript();
    const pair = new Pair({
      ...options,
      transcript: this.transcript,
      model: observed(options.model, () => this.notifications.used.suppressed++),
      queueSize: options.queueSize ?? QUEUE_SIZE,
      indirect: options.indirect ? options.buffers : 0,
      onUsed: () => {
        this.usedPending = true;
        // The publish that caused it was counted as suppressed when the model was served.
        this.notifications.used.suppressed--;
        this.notifications.used.sent++;
      },
    });
    this.core = pair.core;
    this.allocator = pair.allocator;
    this.device = pair.device;
    this.driver = pair.driver;
  }

  /**
   * Makes both sides and has the driver initialise the device.
   *
   * @throws VirtioError for what the user has to change: an unknown name, an offer that contradicts itself, a queue
   *   size that the negotiated layout can't have, `indirect` without INDIRECT_DESC. A refusal is a result.
   */
  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    session.outcome = await session.driver.initialize();
    if (session.outcome.ok) {
      const { queueSize = QUEUE_SIZE, indirect = false } = options;
      checkWishes(session.queue, session.device, { queueSize, indirect });
    }
    return session;
  }

  /** Guest bytes for the ring and the indirect tables of one session. */
  static guestBytes(queueSize: number, indirect: boolean, buffers: number): number {
    const { descriptor, driver, device } = ringAreas("split", queueSize);
    const ring = descriptor.bytes + driver.bytes + device.bytes + 64;
    return ring + (indirect ? queueSize * buffers * 16 : 0);
  }

  /** How the negotiation ended. */
  get result(): InitializeResult {
    return this.outcome;
  }

  /** The driver's queue 0. @throws VirtioError QUEUE_NOT_READY after a refusal */
  get queue(): DriverQueue {
    const [queue] = this.driver.queues;
    if (queue === undefined) throw new VirtioError("QUEUE_NOT_READY", "nothing was negotiated");
    return queue;
  }

  /** Publishes what was added, and notifies the device if it wants that. */
  publish(): void {
    const { available } = this.notifications;
    if (this.queue.publish()) {
      available.sent++;
      this.device.notify(this.queue.kickValue);
    } else available.suppressed++;
  }

  /**
   * One turn of the driver, then of the device until it is done or sends a used buffer notification.
   *
   * @param reclaim takes back what was used
   * @param submit adds and publishes new chains
   */
  turn(reclaim: () => void, submit: () => void): void {
    const { queue } = this;
    queue.disarm();
    do reclaim();
    while (queue.hasUsed());
    submit();
    // Late enough that a notification stands for many chains, early enough that the queue doesn't run dry.
    // A packed ring counts descriptors up to the next notification, a split one chains (§2.7.7, §2.8.10).
    const ahead = queue.ring.layout === "packed" ? queue.size - queue.free : queue.inFlight;
    if (queue.arm(Math.floor((ahead * 3) / 4))) reclaim();
    while (!this.usedPending && this.device.hasWork) this.device.process(this.options.share);
    this.usedPending = false;
  }

  /** What a report says of the negotiation. */
  report(): Agreement {
    const { device, driver, result, transcript, options } = this;
    return agreementOf({ device, driver, result, transcript, label: options.label });
  }
}
