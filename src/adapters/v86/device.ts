/**
 * One of v86's virtio devices with our queues in it. v86's registers stay; around them, the ring's layout is settled
 * when FEATURES_OK is set and lives until the reset, DEVICE_NEEDS_RESET stays until then, and a notification reaches
 * v86's device model only if it may.
 */
import type { Core } from "../../core/core";
import { asVirtioError } from "../../device/queue-service";
import { VirtioError } from "../../errors";
import type { EventSink } from "../../negotiation/control-event";
import { FeatureSet } from "../../negotiation/feature-set";
import { VIRTIO_F_VERSION_1 } from "../../spec/features";
import { VIRTIO_PCI_ISR_QUEUE } from "../../spec/pci";
import {
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
} from "../../spec/status";
import { type RingLayout, ringLayout } from "../../virtqueue/layout";
import type { TouchedRange } from "../../virtqueue/ring-half";
import type { V86StockDevice, V86Virtio } from "./emulator";
import type { StockDevice } from "./hooks";
import { type QueueHome, UpgradedQueue } from "./queue";
import { tapRegisters } from "./register-tap";

/** The BAR of v86's notification registers, of 2 bytes each. */
const NOTIFY_BAR = 1;
const NOTIFY_BYTES = 2;

/** What an upgraded device is made of. */
export interface UpgradeParts {
  readonly type: StockDevice;
  readonly stock: V86StockDevice;
  readonly core: Core;
  /** Feature bits that are offered besides v86's. */
  readonly offer: FeatureSet;
  readonly onTouched: (ranges: readonly TouchedRange[]) => void;
  readonly onViolation: (error: VirtioError) => void;
  readonly onEvent: EventSink | undefined;
}

/** One of v86's devices, upgraded, as the host may look at it. */
export interface UpgradedDevice {
  readonly type: StockDevice;
  /** What the device offers: v86's features, and the ring's. */
  readonly offered: FeatureSet;
  /** What FEATURES_OK settled; undefined before, and after a reset. */
  readonly negotiated: FeatureSet | undefined;
  /** The ring that follows from it. */
  readonly ring: RingLayout | undefined;
  /** Whether DEVICE_NEEDS_RESET is shown. */
  readonly needsReset: boolean;
}

/** The upgrade itself: v86's registers on one side, our queues on the other. */
export class UpgradedVirtio implements UpgradedDevice, QueueHome {
  readonly type: StockDevice;
  readonly core: Core;
  readonly onTouched: UpgradeParts["onTouched"];
  private readonly stock: V86StockDevice;
  private readonly virtio: V86Virtio;
  private readonly queues: readonly UpgradedQueue[];
  private readonly onViolation: UpgradeParts["onViolation"];
  private status = 0;
  private accepted: FeatureSet | undefined;
  private layout: RingLayout | undefined;
  /** Queues that were notified before DRIVER_OK, each with what v86's model does then. */
  private readonly early = new Map<number, () => void>();

  /** Takes v86's queues out and puts its own in. */
  constructor({ type, stock, core, offer, onTouched, onViolation, onEvent }: UpgradeParts) {
    const { virtio } = stock;
    this.type = type;
    this.core = core;
    this.stock = stock;
    this.virtio = virtio;
    this.onTouched = onTouched;
    this.onViolation = onViolation;
    virtio.device_feature.set(FeatureSet.fromWords([...virtio.device_feature]).union(offer).words);
    this.queues = virtio.queues.map((queue, index) => new UpgradedQueue(this, index, queue));
    virtio.queues = [...this.queues];
    virtio.queue_selected = virtio.queues[virtio.queue_select] ?? null;
    const [first] = this.queues;
    if (stock.virtqueue !== undefined && first !== undefined) stock.virtqueue = first;
    this.watchStatus();
    this.guardNotifications();
    if (onEvent !== undefined) tapRegisters({ virtio, status: () => this.status, sink: onEvent });
  }

  get offered(): FeatureSet {
    return FeatureSet.fromWords([...this.virtio.device_feature]);
  }

  get negotiated(): FeatureSet | undefined {
    return this.accepted;
  }

  get ring(): RingLayout | undefined {
    return this.layout;
  }

  get needsReset(): boolean {
    return (this.status & NEEDS_RESET) !== 0;
  }

  get isLive(): boolean {
    return (this.status & DRIVER_OK) !== 0 && !this.needsReset;
  }

  interrupt(): void {
    this.virtio.raise_irq(VIRTIO_PCI_ISR_QUEUE);
  }

  violation(error: VirtioError): void {
    this.onViolation(error);
  }

  breakDown(error: unknown): void {
    if (this.needsReset) return;
    this.violation(asVirtioError(error));
    this.virtio.needs_reset();
  }

  /** The status register as an accessor: v86's register code, its reset and its snapshots go through it. */
  private watchStatus(): void {
    const { virtio } = this;
    const restore = virtio.set_state;
    Object.defineProperty(virtio, "device_status", {
      get: () => this.status,
      set: (value: number) => this.writeStatus(value),
    });
    virtio.set_state = (state) => {
      this.writeStatus(0);
      restore.call(virtio, state);
    };
    this.writeStatus(0);
  }

  private writeStatus(written: number): void {
    const before = this.status;
    this.status = written === 0 ? 0 : written | (before & NEEDS_RESET);
    if (written === 0) this.forget();
    else if ((written & ~before & FEATURES_OK) !== 0 && this.layout === undefined) this.settle();
    if ((this.status & ~before & DRIVER_OK) !== 0) this.start();
  }

  /** After a reset nothing is accepted (§2.4.1); v86 alone would take what is offered for accepted. */
  private forget(): void {
    this.accepted = undefined;
    this.layout = undefined;
    this.early.clear();
    this.virtio.driver_feature.fill(0);
  }

  /** What was accepted so far is negotiated, or FEATURES_OK is refused (§3.1.1). */
  private settle(): void {
    const accepted = FeatureSet.fromWords([...this.virtio.driver_feature]);
    if (accepted.has(VIRTIO_F_VERSION_1)) {
      this.accepted = accepted;
      this.layout = ringLayout(accepted);
      return;
    }
    this.status &= ~FEATURES_OK;
    this.violation(
      new VirtioError("FEATURES_REFUSED", `VERSION_1 is not in ${accepted.toString(this.type)}`, {
        section: "6.1",
      }),
    );
  }

  private start(): void {
    const early = [...this.early.values()];
    this.early.clear();
    for (const notified of early) notified();
  }

  private guardNotifications(): void {
    const entries = this.virtio.pci_bars[NOTIFY_BAR]?.entries ?? [];
    for (let offset = 0; offset < entries.length; offset += NOTIFY_BYTES) {
      const entry = entries[offset];
      if (entry === undefined) continue;
      const handler = entry.write16;
      entry.write16 = (index) => this.notified(index, offset, () => handler.call(entry.device, index));
    }
  }

  /** An available buffer notification at an offset of the BAR: v86's model may index its queues by what is written. */
  private notified(index: number, offset: number, handler: () => void): void {
    const { queues } = this;
    const queue = queues[index];
    if (queue === undefined || queue.notify_offset * NOTIFY_BYTES !== offset) {
      const where =
        queue === undefined
          ? `there are ${queues.length}`
          : `its offset is ${queue.notify_offset * NOTIFY_BYTES}`;
      const reason = `queue ${index} was notified at offset ${offset}: ${where}`;
      this.violation(new VirtioError("QUEUE_INDEX_RANGE", reason, { section: "4.1.4.4" }));
    } else if ((this.status & DRIVER_OK) === 0) {
      this.early.set(index, () => this.serve(queue, handler));
    } else this.serve(queue, handler);
  }

  private serve(queue: UpgradedQueue, handler: () => void): void {
    try {
      if (this.stock.ReceiveRequest === undefined) handler();
      else this.serveByPromise(queue);
    } catch (error) {
      this.breakDown(error);
    }
  }

  /** As v86's own handler, which leaves it to nobody to hear of a rejection: that would end a Node process. */
  private serveByPromise(queue: UpgradedQueue): void {
    while (queue.has_request()) {
      const request = queue.pop_request();
      this.stock.ReceiveRequest?.(request).catch((error) => {
        if (request.isInFlight) this.breakDown(error);
      });
    }
  }
}
