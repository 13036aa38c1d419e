/**
 * The configuration space as the transports reach it (§2.5.2): every access leaves an event, a breach a violation.
 */
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import { VIRTIO_CONFIG_S_DRIVER_OK } from "../spec/status";
import type { ConfigAnswer, ConfigSpace } from "./config-space";
import type { DeviceFeatures } from "./device-features";
import type { DeviceReporter, DeviceState } from "./device-state";
import type { DeviceModel } from "./model";
import { asVirtioError } from "./queue-service";

const NOTHING: ConfigAnswer = { value: 0, fields: [] };

/** Reads and writes of one device's configuration. */
export class ConfigRegisters {
  private readonly space: ConfigSpace;
  private readonly features: DeviceFeatures;
  private readonly model: DeviceModel;
  private readonly report: DeviceReporter;
  private readonly needsReset: (error: VirtioError) => void;
  private readonly state: Readonly<DeviceState> | undefined;

  /**
   * @param needsReset called when the model fails to give or take a value
   * @param state where the device stands; without it nothing counts as frozen by DRIVER_OK
   */
  constructor(
    space: ConfigSpace,
    features: DeviceFeatures,
    model: DeviceModel,
    report: DeviceReporter,
    needsReset: (error: VirtioError) => void,
    state?: Readonly<DeviceState>,
  ) {
    this.space = space;
    this.features = features;
    this.model = model;
    this.report = report;
    this.needsReset = needsReset;
    this.state = state;
  }

  /** 1, 2 or 4 bytes, little-endian; 0 where there is nothing. */
  read(offset: number, bytes: number): number {
    const { accepted } = this.features;
    const { value, fields, breach } = this.attempt(() => this.space.read(offset, bytes, accepted), NOTHING);
    if (breach !== undefined) {
      this.report.violation(new VirtioError(breach.code, `configuration read: ${breach.reason}`, breach));
      return 0;
    }
    const early = this.space.readsUnaccepted(fields, accepted);
    this.report.event({
      step: "config",
      field: fieldText(fields, offset),
      after: hex(value, 2 * bytes),
      section: "2.5",
      note: early ? "read; its feature was not accepted first" : "read",
    });
    return value;
  }

  /** Writes 1, 2 or 4 bytes; refused before FEATURES_OK and for read-only fields. */
  write(offset: number, bytes: number, value: number): void {
    const { accepted, negotiated } = this.features;
    const before = this.attempt(() => this.space.read(offset, bytes, accepted), NOTHING).value;
    const driverOk = ((this.state?.status ?? 0) & VIRTIO_CONFIG_S_DRIVER_OK) !== 0;
    const access = { offset, bytes, value, accepted, featuresOk: negotiated !== undefined, driverOk };
    const written = (name: string, whole: number | bigint) => this.model.configWritten?.(name, whole);
    const { fields, breach } = this.attempt(() => this.space.write(access, written), NOTHING);
    if (breach !== undefined) {
      this.report.violation(new VirtioError(breach.code, `configuration write: ${breach.reason}`, breach));
      return;
    }
    this.report.event({
      step: "config",
      field: fieldText(fields, offset),
      before: hex(before, 2 * bytes),
      after: hex(value >>> 0, 2 * bytes),
      section: "2.5",
      note: "written",
    });
  }

  /** Another number whenever two accesses may have seen different values. */
  generation(): number {
    return this.attempt(() => this.space.readGeneration(this.features.accepted), 0);
  }

  /** The values are the model's, which may fail. */
  private attempt<T>(access: () => T, otherwise: T): T {
    try {
      return access();
    } catch (error) {
      this.needsReset(asVirtioError(error));
      return otherwise;
    }
  }
}

function fieldText(fields: readonly string[], offset: number): string {
  return fields.length === 0 ? `offset ${offset}` : fields.join(" + ");
}
