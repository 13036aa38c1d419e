/**
 * One initialisation of a device from reset to DRIVER_OK (§3.1.1): what has been read, chosen and agreed so far.
 * The steps work on this; after the last one it is the driver's state until the next reset.
 */
import type { Core } from "../core/core";
import type { VirtioError } from "../errors";
import type { ConfigLayout } from "../negotiation/config-table";
import { type ControlEvent, type EventSink, setNames } from "../negotiation/control-event";
import { FeatureSet } from "../negotiation/feature-set";
import type { DeviceType } from "../negotiation/feature-table";
import { VIRTIO_F_VERSION_1 } from "../spec/features";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { RingLayout } from "../virtqueue/layout";
import type { ConfigReader, ConfigView, FieldValue } from "./config-reader";
import type { TransportPort } from "./port";
import type { DriverProfile } from "./profiles";
import { type AbortedBuffer, QueueSet } from "./queue-setup";
import type { StatusRegister } from "./status-register";

/** What a driver's `validate` can ask. */
export interface ValidateContext {
  readonly offered: FeatureSet;
  /** What is accepted, or about to be, before anything is dropped; in `probe` what is negotiated. */
  readonly accepted: FeatureSet;
  /** A field, undefined if its feature is not offered. */
  readConfigField(name: string): Promise<FieldValue>;
  /** Fields of one version of the configuration. */
  readConfigFields(names: readonly string[]): Promise<FieldValue[]>;
}

/** What the driver's user decides about an initialisation. */
export interface InitialisationOptions {
  /** Looks at the configuration before FEATURES_OK. Returns features to drop; throws a VirtioError to give up. */
  readonly validate?: (
    context: ValidateContext,
  ) => Iterable<number | string> | undefined | Promise<Iterable<number | string> | undefined>;
  /** Looks at the device once more when FEATURES_OK is confirmed; throws a VirtioError to give up. */
  readonly probe?: (context: ValidateContext) => void | Promise<void>;
  /** Puts first buffers into the queues before DRIVER_OK. Publish, but don't notify: the device looks by itself. */
  readonly fill?: (queues: readonly DriverQueue[]) => void | Promise<void>;
  /** How many queues the driver uses; default: all that the device has. */
  readonly queues?: number;
  /** Descriptors wanted of each queue, 1…32768; a legacy PCI device has a size of its own. Default 256. */
  readonly queueSize?: number;
  /** Entries of each chain's indirect table, used if INDIRECT_DESC is negotiated. Default 0: no tables. */
  readonly indirect?: number;
  /** Most chains per crossing into the core, 1 and up. */
  readonly batch?: number;
  /** Cut off used lengths that are too long instead of breaking (old devices). */
  readonly clampUsedLength?: boolean;
  /** Packed: believe used lengths of a device that leaves WRITE out (QEMU), as §2.8.4 tells a driver not to. */
  readonly lengthWithoutWrite?: boolean;
  /** Hears of breaches of the device in the rings. */
  readonly onViolation?: (error: VirtioError) => void;
}

/** What an initialisation works with. */
export interface InitialisationParts {
  readonly port: TransportPort;
  readonly core: Core;
  readonly allocator: GuestAllocator;
  readonly deviceType: DeviceType | undefined;
  readonly profile: DriverProfile;
  readonly supports: FeatureSet;
  readonly requires: FeatureSet;
  readonly status: StatusRegister;
  readonly config: ConfigReader;
  readonly configLayout: readonly ConfigLayout[];
  /** The guest's. */
  readonly byteOrder: "little" | "big";
  readonly options: InitialisationOptions;
  readonly onEvent: EventSink;
}

/** The state of one initialisation. */
export class Initialisation {
  readonly port: TransportPort;
  readonly deviceType: DeviceType | undefined;
  readonly profile: DriverProfile;
  readonly supports: FeatureSet;
  readonly requires: FeatureSet;
  readonly options: InitialisationOptions;
  readonly configLayout: readonly ConfigLayout[];
  readonly byteOrder: "little" | "big";
  offered = FeatureSet.empty;
  /** What the driver wants; accepted once it is written. */
  choice = FeatureSet.empty;
  /** What was written last. */
  accepted = FeatureSet.empty;
  /** What was written first. */
  firstAccepted: FeatureSet | undefined;
  /** What FEATURES_OK confirmed. */
  negotiated: FeatureSet | undefined;
  ring: RingLayout | undefined;
  private readonly parts: InitialisationParts;
  private readonly set: QueueSet;

  constructor(parts: InitialisationParts) {
    this.parts = parts;
    this.port = parts.port;
    this.deviceType = parts.deviceType;
    this.profile = parts.profile;
    this.supports = parts.supports;
    this.requires = parts.requires;
    this.options = parts.options;
    this.configLayout = parts.configLayout;
    this.byteOrder = parts.byteOrder;
    this.set = new QueueSet(parts.core, parts.allocator);
  }

  get queues(): readonly DriverQueue[] {
    return this.set.queues;
  }

  /** Whether the device is used through its legacy interface: it doesn't offer VERSION_1, and the driver can (§2.2.3). */
  get isLegacy(): boolean {
    return this.profile.withoutVersion1 === "legacy" && !this.offered.has(VIRTIO_F_VERSION_1);
  }

  /** What a configuration access goes by. */
  get configView(): ConfigView {
    return { offered: this.offered, isLegacy: this.isLegacy };
  }

  reset(): Promise<void> {
    return this.parts.status.reset();
  }

  readStatus(): Promise<number> {
    return this.parts.status.read();
  }

  addStatus(bit: number): Promise<void> {
    return this.parts.status.add(bit);
  }

  /** Makes and enables a queue; its size. */
  addQueue(
    index: number,
    maximum: number,
    ring: RingLayout,
    queueSize = this.options.queueSize ?? 256,
  ): Promise<number> {
    const { indirect = 0, batch, clampUsedLength, lengthWithoutWrite, onViolation } = this.options;
    return this.set.add(this.port, index, maximum, ring, {
      queueSize,
      indirect,
      batch,
      clampUsedLength,
      lengthWithoutWrite,
      isLegacy: this.isLegacy,
      onViolation: (error) => {
        const note = { note: error.message, code: error.code };
        this.event({ step: "violation", field: `queue ${index}`, section: error.section, ...note });
        onViolation?.(error);
      },
    });
  }

  /** Lets go of the queues after a reset; what was in flight. */
  release(): AbortedBuffer[] {
    return this.set.release();
  }

  /** Lets go of one queue after its own reset; what was in flight. */
  releaseQueue(index: number): AbortedBuffer[] {
    return this.set.releaseQueue(index);
  }

  validation(): ValidateContext {
    const { offered, choice, parts, configView } = this;
    return {
      offered,
      accepted: choice,
      readConfigFields: (names) => parts.config.read(names, configView),
      readConfigField: async (name) => (await parts.config.read([name], configView))[0],
    };
  }

  event(event: Omit<ControlEvent, "side">): void {
    this.parts.onEvent({ side: "driver", ...event });
  }

  sets() {
    return setNames(this.deviceType, this.offered, this.accepted, this.negotiated);
  }
}
