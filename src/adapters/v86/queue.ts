/**
 * A virtqueue with v86's methods and the ring core's rings. v86's registers write its fields; what they say counts when
 * the queue is enabled. Nothing here throws into the emulator: a breach of the driver, and a trap, end in `breakDown`.
 */
import type { Core } from "../../core/core";
import { VirtioError } from "../../errors";
import { DeviceQueue, type DeviceQueueOptions } from "../../virtqueue/device-queue";
import type { RingLayout } from "../../virtqueue/layout";
import type { QueueImage } from "../../virtqueue/queue-image";
import type { V86BufferChain, V86VirtQueue } from "./emulator";
import { PoppedRequest } from "./request";
import { Take } from "./take";

/** What a queue needs of the device around it. */
export interface QueueHome {
  readonly core: Core;
  /** The layout that FEATURES_OK settled; undefined before, and after a reset. */
  readonly ring: RingLayout | undefined;
  /** DRIVER_OK is set and DEVICE_NEEDS_RESET isn't: only then is a ring looked at (§2.1.2, §3.1.1). */
  readonly isLive: boolean;
  readonly onTouched: NonNullable<DeviceQueueOptions["onTouched"]>;
  /** A used buffer notification. */
  interrupt(): void;
  /** Tells of a breach. */
  violation(error: VirtioError): void;
  /** Tells of a breach or a failure, and sets DEVICE_NEEDS_RESET. */
  breakDown(error: unknown): void;
}

/** Most bytes that a model reads of one chain: v86's copy all of them at once. */
const READABLE_MAX = 1024 * 1024;
/** Most chains that are taken at once. */
export const UPGRADED_BATCH = 32;
/** The state that v86's own queue saves, and where ours stands behind it. */
const STATE_IMAGE = 10;

/** One queue of an upgraded device. */
export class UpgradedQueue implements V86VirtQueue {
  size: number;
  size_supported: number;
  enabled = false;
  notify_offset: number;
  desc_addr = 0;
  avail_addr = 0;
  used_addr = 0;
  private readonly home: QueueHome;
  private readonly index: number;
  private queue: DeviceQueue | undefined;
  /** The chains of the queue's last take. */
  private taken: Take | undefined;
  /** A saved queue that is restored when it is first used: v86 restores guest RAM after the devices. */
  private image: string | undefined;

  /** @param stock v86's own queue, whose place this one takes */
  constructor(home: QueueHome, index: number, stock: V86VirtQueue) {
    this.home = home;
    this.index = index;
    this.size = stock.size_supported;
    this.size_supported = stock.size_supported;
    this.notify_offset = stock.notify_offset;
  }

  /** Forgets everything; chains that v86's models still hold are dead (§2.4.1). */
  reset(): void {
    this.drop();
    this.enabled = false;
    this.size = this.size_supported;
    this.desc_addr = 0;
    this.avail_addr = 0;
    this.used_addr = 0;
  }

  set_size(size: number): void {
    this.size = size;
  }

  is_configured(): boolean {
    return this.desc_addr !== 0 && this.avail_addr !== 0 && this.used_addr !== 0;
  }

  /** Makes the ring, in the layout that was negotiated; with anything wrong the queue stays disabled. */
  enable(): void {
    if (this.enabled) return;
    try {
      this.queue = new DeviceQueue(this.home.core, this.options());
      this.enabled = true;
    } catch (error) {
      if (error instanceof VirtioError) this.home.violation(error);
      else this.home.breakDown(error);
    }
  }

  /** 1 if there is a request, else 0: how many there are a packed ring doesn't tell. */
  count_requests(): number {
    return this.has_request() ? 1 : 0;
  }

  /** Whether {@link pop_request} has something to give; if not, the driver is asked for a notification. */
  has_request(): boolean {
    if (!this.isLive) return false;
    const { taken } = this;
    return (taken !== undefined && taken.nextReadable <= READABLE_MAX) || this.look();
  }

  /** The next request; an empty one where there is none, whose reply goes nowhere. */
  pop_request(): PoppedRequest {
    const { taken } = this;
    if (taken !== undefined && taken.nextReadable <= READABLE_MAX) return taken.next();
    return this.has_request() ? this.pop_request() : new PoppedRequest();
  }

  push_reply(chain: V86BufferChain): void {
    const { queue } = this;
    if (queue === undefined || !(chain instanceof PoppedRequest)) return;
    if (!chain.replyInRow(queue)) this.use(() => chain.replyLate());
  }

  flush_replies(): void {
    this.use((queue) => {
      this.taken?.use();
      if (queue.publish()) this.home.interrupt();
    });
  }

  notify_me_after(_skipped: number): void {
    this.use((queue) => queue.arm());
  }

  /** v86's own state, and the ring's behind it. */
  get_state(): unknown[] {
    const { size, size_supported, enabled, notify_offset, desc_addr, avail_addr, used_addr } = this;
    const state = [size, size_supported, enabled, notify_offset, desc_addr, avail_addr, 0, used_addr, 0, 1];
    return [...state, this.save()];
  }

  set_state(state: readonly unknown[]): void {
    this.drop();
    const [size, sizeSupported, enabled, notifyOffset, descriptor, driver, , device] = state;
    this.size = size as number;
    this.size_supported = sizeSupported as number;
    this.enabled = enabled === true;
    this.notify_offset = notifyOffset as number;
    this.desc_addr = descriptor as number;
    this.avail_addr = driver as number;
    this.used_addr = device as number;
    this.image = String(state[STATE_IMAGE]);
  }

  /** Takes again when there is no next request; with nothing to take, asks for a notification. */
  private look(): boolean {
    this.use((queue) => {
      if (this.taken === undefined || this.taken.isEmpty) this.taken = this.take(queue);
      if (this.taken === undefined) queue.arm();
      else if (this.taken.nextReadable > READABLE_MAX) throw this.tooMuch(this.taken.nextReadable);
    });
    return this.isLive && this.taken !== undefined && this.taken.nextReadable <= READABLE_MAX;
  }

  private take(queue: DeviceQueue): Take | undefined {
    this.taken?.end();
    const count = queue.takeBatch();
    return count === 0 ? undefined : new Take(this.home.core, queue);
  }

  private get isLive(): boolean {
    return this.enabled && this.home.isLive;
  }

  /** Does something with a ring that may be used; whatever goes wrong breaks the device and not the emulator. */
  private use<T>(action: (queue: DeviceQueue) => T): T | undefined {
    if (!this.isLive) return undefined;
    try {
      this.queue ??= this.restore();
      return action(this.queue);
    } catch (error) {
      this.home.breakDown(error);
      return undefined;
    }
  }

  private drop(): void {
    this.queue?.dispose();
    this.queue = undefined;
    this.taken = undefined;
    this.image = undefined;
  }

  /** The ring as JSON, what was taken and not popped given back; nothing where there is none, or it is broken. */
  private save(): string | undefined {
    const { queue } = this;
    if (queue === undefined || queue.error !== undefined) return this.image;
    this.taken?.undo();
    return JSON.stringify(queue.save());
  }

  private restore(): DeviceQueue {
    const { image = "" } = this;
    let saved: unknown;
    try {
      saved = JSON.parse(image);
    } catch {
      throw new VirtioError(
        "SNAPSHOT_INVALID",
        `queue ${this.index}: ${image.length} bytes of state are no JSON`,
      );
    }
    return DeviceQueue.restore(this.home.core, this.options(), saved as QueueImage);
  }

  private options(): DeviceQueueOptions {
    const { index, size, home } = this;
    const { ring } = home;
    if (ring === undefined) {
      throw new VirtioError("QUEUE_NOT_READY", `queue ${index}: no ring before FEATURES_OK`, {
        section: "3.1.1",
        queue: index,
      });
    }
    const areas = {
      descriptor: this.desc_addr >>> 0,
      driver: this.avail_addr >>> 0,
      device: this.used_addr >>> 0,
    };
    const onViolation = (error: VirtioError) => home.breakDown(error);
    return {
      index,
      size,
      ring,
      areas,
      batch: UPGRADED_BATCH,
      onTouched: home.onTouched,
      wholeAreas: true,
      onViolation,
    };
  }

  private tooMuch(bytes: number): VirtioError {
    return new VirtioError(
      "CHAIN_BYTES_OVERFLOW",
      `queue ${this.index}: ${bytes} readable bytes, v86's devices are given at most ${READABLE_MAX}`,
      { queue: this.index },
    );
  }
}
