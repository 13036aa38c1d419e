/**
 * The driver half of everything but the ring: initialisation, operation, reset (§3). One loop runs the steps of a
 * profile over any transport; what the steps do is in steps.ts.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { CONFIG_LAYOUTS, type ConfigLayout } from "../negotiation/config-table";
import { type EventSink, hex } from "../negotiation/control-event";
import { featureBit, nameAndBit } from "../negotiation/feature-names";
import { FeatureSet } from "../negotiation/feature-set";
import { type DeviceType, deviceTypeOf } from "../negotiation/feature-table";
import { VIRTIO_F_SUSPEND } from "../spec/features";
import {
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_SUSPEND as SUSPEND,
  VIRTIO_CONFIG_S_FAILED,
  VIRTIO_CONFIG_S_NEEDS_RESET,
} from "../spec/status";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { RingLayout } from "../virtqueue/layout";
import { ConfigReader, type FieldValue } from "./config-reader";
import { Initialisation, type InitialisationOptions } from "./initialisation";
import { MISDEED_STEPS } from "./misdeeds";
import type { Awaitable, TransportPort } from "./port";
import { type DriverProfile, driverProfile } from "./profiles";
import { type QueueResetOptions, QueueResets } from "./queue-reset";
import type { AbortedBuffer } from "./queue-setup";
import { StatusRegister } from "./status-register";
import { STEPS } from "./steps";

/** Features by bit or name, or a set. */
type Features = Iterable<number | string> | FeatureSet;

/** What a driver is made with. */
export interface DriverOptions extends InitialisationOptions {
  readonly port: TransportPort;
  readonly core: Core;
  /** Where rings and tables are put. */
  readonly allocator: GuestAllocator;
  /** The features that the driver knows. */
  readonly supports: Features;
  /** The features that it can't do without. */
  readonly requires?: Features;
  /** The order of its steps: a profile or the name of one. Default "linux-current". */
  readonly profile?: DriverProfile | string;
  /** Whose feature and field names count; default: by the port's device ID. */
  readonly deviceType?: DeviceType;
  /** Fields of the configuration, for a device type that virtq doesn't know. */
  readonly configLayout?: readonly ConfigLayout[];
  readonly onEvent?: EventSink;
  /** A used buffer notification arrived; it may be spurious (§2.3). */
  readonly onUsed?: (queue: number) => void;
  /** The device says that its configuration has changed. */
  readonly onConfigChange?: () => void;
  /** Buffers were shown to the device by `kick`, and it wanted to be notified of them or not. */
  readonly onPublish?: (queue: number, isNotified: boolean) => void;
  /** The guest's byte order, which the legacy interface is used in (§2.5.3). Default "little". */
  readonly byteOrder?: "little" | "big";
  /** How often the status is asked for until a reset, a suspend or a resume counts as hung. Default 1000. */
  readonly statusReads?: number;
}

/** How an initialisation ended. A refusal is a result. */
export type InitializeResult =
  | { readonly ok: true; readonly negotiated: FeatureSet; readonly ring: RingLayout }
  | { readonly ok: false; readonly code: VirtioError["code"]; readonly reason: string };

const DEEDS = { ...STEPS, ...MISDEED_STEPS };

/** A driver of one device. */
export class VirtioDriver {
  readonly profile: DriverProfile;
  readonly deviceType: DeviceType | undefined;
  private readonly options: DriverOptions;
  private readonly port: TransportPort;
  private readonly status: StatusRegister;
  private readonly config: ConfigReader;
  private readonly configLayout: readonly ConfigLayout[];
  private readonly supports: FeatureSet;
  private run: Initialisation | undefined;
  private needsReset = false;
  private readonly queueResets: QueueResets;

  /** @throws VirtioError UNKNOWN_NAME naming the nearest feature or profile */
  constructor(options: DriverOptions) {
    const { port, statusReads = 1000, byteOrder = "little" } = options;
    const onEvent: EventSink = (event) => options.onEvent?.(event);
    this.options = { ...options, onEvent };
    this.port = port;
    this.deviceType = options.deviceType ?? deviceTypeOf(port.deviceId);
    this.profile = driverProfile(options.profile ?? "linux-current");
    this.supports = FeatureSet.from(options.supports, this.deviceType);
    this.status = new StatusRegister(port, onEvent, statusReads);
    this.queueResets = new QueueResets(statusReads);
    this.configLayout =
      options.configLayout ?? (this.deviceType === undefined ? [] : CONFIG_LAYOUTS[this.deviceType]);
    this.config = new ConfigReader(port, this.configLayout, this.deviceType, onEvent, byteOrder);
    port.onInterrupt((kind, queue) => this.interrupted(kind, queue));
  }

  /** Whose features exist between the two: "pci", "mmio", "loopback", … */
  get transport(): string {
    return this.port.transport;
  }

  /** Whether the device is used through its legacy interface, since it offers no VERSION_1 that the driver would see. */
  get isLegacy(): boolean {
    return this.run?.isLegacy ?? false;
  }

  /** What the device offered when it was asked last. */
  get offered(): FeatureSet {
    return this.run?.offered ?? FeatureSet.empty;
  }

  /** What the driver accepted last. */
  get accepted(): FeatureSet {
    return this.run?.accepted ?? FeatureSet.empty;
  }

  /** What FEATURES_OK confirmed; undefined before and after a reset. */
  get negotiated(): FeatureSet | undefined {
    return this.run?.negotiated;
  }

  get ring(): RingLayout | undefined {
    return this.run?.ring;
  }

  /** The driver halves, by index; empty before and after a reset. */
  get queues(): readonly DriverQueue[] {
    return this.run?.queues ?? [];
  }

  /** The status as it was last read or written. */
  get lastStatus(): number {
    return this.status.last;
  }

  /**
   * Runs the profile's steps. Also after a refusal or while the device runs: the first step resets it.
   *
   * @param change features to know this time instead of `supports`
   * @returns the negotiated set and its ring, or why there is none; the device is FAILED then
   */
  async initialize(change: { readonly supports?: Features } = {}): Promise<InitializeResult> {
    const previous = this.run;
    const run = this.newRun(change.supports);
    try {
      for (const step of this.profile.steps) {
        await DEEDS[step](run);
        if (step === "reset") this.forget(previous);
        this.run = run;
      }
    } catch (error) {
      await this.fail();
      if (!(error instanceof VirtioError)) throw error;
      return { ok: false, code: error.code, reason: error.message };
    }
    const { negotiated, ring } = run;
    if (negotiated !== undefined && ring !== undefined) return { ok: true, negotiated, ring };
    return {
      ok: false,
      code: "STATUS_SEQUENCE",
      reason: `profile ${this.profile.name} never confirms FEATURES_OK`,
    };
  }

  /**
   * Whether a feature is in force: negotiated, not merely offered or accepted.
   *
   * @throws VirtioError FEATURE_NOT_IN_TABLE for a device-type bit that the driver never said it knew
   */
  hasFeature(feature: number | string): boolean {
    const bit = featureBit(feature, this.deviceType);
    if (bit < 28 && !this.supports.has(bit)) {
      throw new VirtioError(
        "FEATURE_NOT_IN_TABLE",
        `the driver doesn't know ${nameAndBit(bit, this.deviceType)}`,
        {
          section: "2.2.1",
        },
      );
    }
    return this.negotiated?.has(bit) ?? false;
  }

  /** A configuration field; undefined if its feature is not offered. A wide one is read in one version (§2.5.1). */
  async readConfigField(name: string): Promise<FieldValue> {
    return (await this.readConfigFields([name]))[0];
  }

  /** Fields of one and the same version of the configuration. */
  readConfigFields(names: readonly string[]): Promise<FieldValue[]> {
    return this.config.read(names, this.configView);
  }

  /**
   * Writes a configuration field.
   *
   * @throws VirtioError CONFIG_READONLY, STATUS_SEQUENCE before FEATURES_OK, while suspended, or when DRIVER_OK froze it,
   *   BAD_ARGUMENT
   */
  async writeConfigField(name: string, value: number): Promise<void> {
    const { configView: view, negotiated, status } = this;
    if ((status.last & SUSPEND) !== 0) {
      const text = `${name} must not be written while the device is suspended`;
      throw new VirtioError("STATUS_SEQUENCE", text, { section: "3.4.1" });
    }
    const when = { featuresOk: negotiated !== undefined, driverOk: (status.last & DRIVER_OK) !== 0 };
    return this.config.write(name, value, view, when);
  }

  /**
   * Publishes what was added to a queue, and notifies the device if it wants that.
   *
   * @throws VirtioError STATUS_SEQUENCE before DRIVER_OK (§3.1.1), while suspended (§3.4.1) and during the queue's own
   *   reset (§2.6.1), QUEUE_INDEX_RANGE
   */
  kick(index: number): Awaitable<void> {
    const queue = this.queues[index];
    if (queue === undefined) {
      throw new VirtioError("QUEUE_INDEX_RANGE", `queue ${index}: the driver has ${this.queues.length}`);
    }
    this.requireLive(index);
    this.queueResets.requireOver(index);
    const isNotified = queue.publish();
    this.options.onPublish?.(index, isNotified);
    return isNotified ? this.port.notify(queue.kickValue) : undefined;
  }

  /**
   * Whether any queue has used buffers.
   *
   * @throws VirtioError DEVICE_NEEDS_RESET once the device said so: nothing more will come (§2.1.1)
   */
  poll(): boolean {
    if (this.needsReset) throw this.resetError();
    return this.queues.some((queue) => queue.alive && queue.hasUsed());
  }

  /** Asks for the status, as after a configuration change notification. @throws as {@link poll} */
  async check(): Promise<void> {
    this.sawStatus(await this.status.read());
    if (this.needsReset) throw this.resetError();
  }

  /**
   * Suspends the device and waits until it shows that (§3.4): no buffer is in progress then, and none may be added,
   * nor anything else be touched, until `resume` or a reset.
   *
   * @throws VirtioError STATUS_SEQUENCE if SUSPEND is not negotiated, the device not live or a queue's reset under way,
   *   DEVICE_NEEDS_RESET
   */
  async suspend(): Promise<void> {
    if (!this.negotiated?.has(VIRTIO_F_SUSPEND) || (this.status.last & DRIVER_OK) === 0) {
      const why = this.negotiated?.has(VIRTIO_F_SUSPEND)
        ? "the device is not live"
        : "SUSPEND is not negotiated";
      throw new VirtioError("STATUS_SEQUENCE", `can't suspend: ${why}`, { section: "3.4" });
    }
    this.queueResets.requireOver();
    await this.status.change(SUSPEND, SUSPEND, DRIVER_OK, "suspended");
  }

  /** Sets DRIVER_OK again and waits until the device is live (§3.4). @throws as {@link suspend} */
  async resume(): Promise<void> {
    if ((this.status.last & SUSPEND) === 0) {
      throw new VirtioError("STATUS_SEQUENCE", "can't resume: the device is not suspended", {
        section: "3.4",
      });
    }
    await this.status.change(DRIVER_OK, DRIVER_OK, SUSPEND, "resumed");
  }

  /**
   * Resets the device, waits for it and lets go of the queues.
   *
   * @returns the buffers that were in flight: the device has let go of them without a word
   */
  async reset(): Promise<readonly AbortedBuffer[]> {
    await this.status.reset();
    return this.forget(this.run);
  }

  /**
   * Resets one queue while the device lives on, waits until the device shows that it is over, and sets the queue up again
   * (§2.6.1): a new `queues[index]`, whose predecessor is disposed. A queue that an earlier call left disabled is only set up.
   *
   * @returns the buffers that were in flight in it: the device has let go of them without a word
   * @throws VirtioError QUEUE_INDEX_RANGE, BAD_ARGUMENT; STATUS_SEQUENCE without RING_RESET, on a transport without queue
   *   reset, while suspended, or if a device reset comes between; DEVICE_NEEDS_RESET if it never ends or had no effect;
   *   QUEUE_NOT_READY if the device doesn't enable the queue again
   */
  async resetQueue(index: number, options: QueueResetOptions = {}): Promise<readonly AbortedBuffer[]> {
    if (this.needsReset) throw this.resetError();
    const { run } = this;
    if (run === undefined || (this.status.last & SUSPEND) !== 0) {
      const why = run === undefined ? "there is no ring yet" : "the device is suspended";
      const text = `queue ${index} can't be reset: ${why}`;
      throw new VirtioError("STATUS_SEQUENCE", text, { section: "2.6.1", queue: index });
    }
    return this.queueResets.reset(run, index, options, () => this.run === run);
  }

  /** Gives the device up (§3.1.1): FAILED until the next initialisation resets it. */
  async fail(): Promise<void> {
    await this.status.add(VIRTIO_CONFIG_S_FAILED);
  }

  private get configView() {
    return this.run?.configView ?? { offered: FeatureSet.empty, isLegacy: false };
  }

  /** §3.1.1, §3.4.1: no notification before DRIVER_OK, nor while suspended. A legacy driver is free to (§3.1.2). */
  private requireLive(index: number): void {
    const { last } = this.status;
    if (this.run?.isLegacy || ((last & DRIVER_OK) !== 0 && (last & SUSPEND) === 0)) return;
    const when = (last & SUSPEND) !== 0 ? "while the device is suspended" : "before DRIVER_OK";
    const section = (last & SUSPEND) !== 0 ? "3.4.1" : "3.1.1";
    throw new VirtioError("STATUS_SEQUENCE", `queue ${index} notified ${when}`, { section, queue: index });
  }

  private newRun(supports: Features | undefined): Initialisation {
    const { deviceType, options, profile, status, config, configLayout, port } = this;
    const { core, allocator, byteOrder = "little" } = options;
    return new Initialisation({
      port,
      core,
      allocator,
      deviceType,
      profile,
      supports: supports === undefined ? this.supports : FeatureSet.from(supports, deviceType),
      requires: FeatureSet.from(options.requires ?? [], deviceType),
      status,
      config,
      configLayout,
      byteOrder,
      options,
      onEvent: (event) => options.onEvent?.(event),
    });
  }

  /** After a reset was read back, and not before, buffers are the driver's again (§3.3.1). */
  private forget(run: Initialisation | undefined): readonly AbortedBuffer[] {
    this.needsReset = false;
    this.queueResets.forget();
    const aborted = run?.release() ?? [];
    if (this.run === run) this.run = undefined;
    if (aborted.length > 0) {
      const note = `${aborted.length} buffers in flight were aborted`;
      this.options.onEvent?.({ side: "driver", step: "reset", field: "queues", section: "3.3.1", note });
    }
    return aborted;
  }

  private interrupted(kind: "used" | "config", queue: number | undefined): void {
    if (kind === "used") {
      if (queue !== undefined) this.options.onUsed?.(queue);
      // §4.2.3.4: where the transport can't say which, it may be any.
      else for (const { index } of this.queues) this.options.onUsed?.(index);
      return;
    }
    const status = this.port.readStatus();
    if (typeof status === "number") this.sawStatus(status);
    // A port that fails here fails at the next call too, where somebody waits for the answer.
    else
      status.then(
        (value) => this.sawStatus(value),
        () => {},
      );
    this.options.onConfigChange?.();
  }

  private sawStatus(status: number): void {
    this.status.last = status;
    if (this.needsReset || (status & VIRTIO_CONFIG_S_NEEDS_RESET) === 0) return;
    this.needsReset = true;
    const note = "DEVICE_NEEDS_RESET: what is in flight will not come back";
    this.options.onEvent?.({ side: "driver", step: "status", after: hex(status), section: "2.1.1", note });
  }

  private resetError(): VirtioError {
    const inFlight = this.queues.reduce((sum, queue) => sum + queue.inFlight, 0);
    const text = `the device needs a reset: status ${hex(this.status.last)}, ${inFlight} buffers in flight`;
    return new VirtioError("DEVICE_NEEDS_RESET", text, { section: "2.1.1" });
  }
}
