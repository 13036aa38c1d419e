/**
 * One driver and one device on a loopback, every step of both in one transcript. Who moves chains through it, and when
 * the device is served, is up to its user: a workload calls `device.process`, a scene has it `pumped`.
 */
import type { Core } from "../core/core";
import { VirtioDevice } from "../device/device";
import type { DeviceModel } from "../device/model";
import type { DeviceProfile } from "../device/profiles";
import { type DriverOptions, VirtioDriver } from "../driver/driver";
import type { InitialisationOptions } from "../driver/initialisation";
import type { DriverProfile } from "../driver/profiles";
import type { EventSink } from "../negotiation/control-event";
import type { Transcript } from "../trace/transcript";
import { Loopback, type LoopbackOptions } from "../transport/loopback";
import { GuestAllocator } from "../virtqueue/guest-allocator";

/** Who negotiates, and how. */
export interface PairOptions extends InitialisationOptions {
  readonly core: Core;
  readonly allocator?: GuestAllocator;
  readonly model: DeviceModel;
  readonly transcript: Transcript;
  /** Which device this is, when several share a transcript. */
  readonly label?: string;
  /** Features of the ring that the device offers. Default: all that its profile has. */
  readonly offer?: readonly (string | number)[];
  /** Features that the driver knows. Default: as offered. */
  readonly accept?: readonly (string | number)[];
  readonly deviceProfile?: DeviceProfile | string;
  readonly driverProfile?: DriverProfile | string;
  /** The guest's byte order, for legacy drivers. */
  readonly byteOrder?: "little" | "big";
  /** What the loopback passes for. */
  readonly transport?: LoopbackOptions;
  /** Most chains that the device serves before it publishes. */
  readonly share?: number;
  /** Have the device served by itself whenever it has work, after the current call. */
  readonly pumped?: boolean;
  readonly onUsed?: DriverOptions["onUsed"];
  readonly onConfigChange?: DriverOptions["onConfigChange"];
  readonly onPublish?: DriverOptions["onPublish"];
  /** Hears of every step besides. */
  readonly onEvent?: EventSink;
}

/** A driver and its device. */
export class Pair {
  readonly core: Core;
  readonly allocator: GuestAllocator;
  readonly device: VirtioDevice;
  readonly driver: VirtioDriver;
  readonly label: string | undefined;
  private isScheduled = false;

  /** @throws VirtioError for an offer that contradicts itself or an unknown name */
  constructor(options: PairOptions) {
    const { core, model, label, transcript } = options;
    this.core = core;
    this.label = label;
    this.allocator = options.allocator ?? new GuestAllocator(core);
    const onEvent: EventSink = (event) => {
      transcript.sink(label === undefined ? event : { ...event, device: label });
      options.onEvent?.(event);
    };
    this.device = new VirtioDevice(core, model, {
      onEvent,
      ...(options.share === undefined ? {} : { share: options.share }),
      ...(options.offer === undefined ? {} : { offer: options.offer }),
      ...(options.deviceProfile === undefined ? {} : { profile: options.deviceProfile }),
      ...(options.byteOrder === undefined ? {} : { byteOrder: options.byteOrder }),
      ...(options.pumped ? { onWork: () => this.schedule() } : {}),
    });
    const { driverProfile, accept, onUsed, onConfigChange, onPublish, ...initialisation } = options;
    this.driver = new VirtioDriver({
      ...initialisation,
      port: new Loopback(this.device, options.transport),
      allocator: this.allocator,
      supports: accept ?? this.device.offered,
      onEvent,
      ...(driverProfile === undefined ? {} : { profile: driverProfile }),
      ...(onUsed === undefined ? {} : { onUsed }),
      ...(onConfigChange === undefined ? {} : { onConfigChange }),
      ...(onPublish === undefined ? {} : { onPublish }),
    });
  }

  /** Serves the device until it has nothing to do, and whatever its backends answer meanwhile. */
  async settle(): Promise<void> {
    do {
      while (this.device.hasWork) this.device.process();
      await this.device.idle();
    } while (this.device.hasWork);
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      while (this.device.hasWork) this.device.process();
    });
  }
}
