/**
 * The configuration space as the transports reach it (§2.5.2): every access leaves an event, a breach a violation.
 */
import { VirtioError } from "../errors";
import { hex, type RegisterAccess } from "../negotiation/control-event";
import { VIRTIO_CONFIG_S_DRIVER_OK } from "../spec/status";
import type { ByteOrder, ConfigAnswer, ConfigBreach, ConfigSpace } from "./config-space";
import type { DeviceFeatures } from "./device-features";
import type { DeviceReporter, DeviceState } from "./device-state";
import type { DeviceModel } from "./model";
import type { DeviceProfile } from "./profiles";
import { asVirtioError } from "./queue-service";
import { use } from "./status";

const NOTHING: ConfigAnswer = { value: 0, fields: [] };

/** What the registers work on. */
export interface ConfigRegisterParts {
  readonly space: ConfigSpace;
  readonly features: DeviceFeatures;
  readonly model: DeviceModel;
  readonly profile: DeviceProfile;
  readonly state: Readonly<DeviceState>;
  readonly report: DeviceReporter;
  /** The guest's. */
  readonly byteOrder: ByteOrder;
  /** The model failed to give or take a value. */
  needsReset(error: VirtioError): void;
}

/** Reads and writes of one device's configuration. */
export class ConfigRegisters {
  private readonly parts: ConfigRegisterParts;
  /** Notifications of a change, in eight bits: what some profiles show for a generation. */
  notices = 0;

  constructor(parts: ConfigRegisterParts) {
    this.parts = parts;
  }

  /** 1, 2 or 4 bytes, little-endian or as a legacy guest has it; where there is nothing what the profile says. */
  read(offset: number, bytes: number): number {
    const { space, features, profile, report } = this.parts;
    const forced = features.configRead();
    const { value, fields, breach } = this.attempt(
      () => space.read(offset, bytes, features.applied, this.order),
      NOTHING,
    );
    const shown = breach === undefined ? value : this.beyond(breach.code, bytes);
    const early = space.readsUnaccepted(fields, features.accepted);
    const access: RegisterAccess = { register: "config", how: "read", index: offset, bytes, value: shown };
    const event = {
      step: "config",
      field: fieldText(fields, offset),
      after: hex(shown, digits(bytes)),
      section: "2.5",
      note: `read${early ? "; its feature was not accepted first" : ""}${this.order === "big" ? "; big-endian" : ""}`,
    };
    report.during(access, event, () => {
      if (breach !== undefined)
        report.violation(new VirtioError(breach.code, `configuration read: ${breach.reason}`, breach));
    });
    if (forced) {
      const policy = { name: "configReadFirst", choice: profile.configReadFirst };
      report.event({
        step: "features",
        section: "2.2.3",
        note: "taken for an acceptance of nothing",
        policy,
      });
    }
    return shown;
  }

  /** Writes 1, 2 or 4 bytes; refused before FEATURES_OK, while suspended, and for read-only fields. */
  write(offset: number, bytes: number, value: number): void {
    const { space, features, model, report, state } = this.parts;
    const { applied: accepted, negotiated } = features;
    const before = this.attempt(() => space.read(offset, bytes, accepted, this.order), NOTHING).value;
    const driverOk = (state.status & VIRTIO_CONFIG_S_DRIVER_OK) !== 0;
    const access = { offset, bytes, value, accepted, featuresOk: this.mayWrite, driverOk, order: this.order };
    const written = (name: string, whole: number | bigint) => model.configWritten?.(name, whole);
    const untimely = state.isSuspended ? SUSPENDED : state.phase === "resetting" ? RESETTING : undefined;
    const { fields, breach } =
      untimely === undefined
        ? this.attempt(() => space.write(access, written), NOTHING)
        : { fields: [], breach: untimely };
    const isEarly = negotiated === undefined && !features.isLegacy;
    const policy = isEarly ? { policy: use(this.parts.profile.policies, "earlyConfigWrite") } : {};
    const event = {
      step: "config",
      field: fieldText(fields, offset),
      before: hex(before, digits(bytes)),
      after: hex(value >>> 0, digits(bytes)),
      section: "2.5",
      note: "written",
      ...policy,
    };
    const register = { register: "config", how: "write", index: offset, bytes, value: value >>> 0 } as const;
    report.during(register, event, () => {
      if (breach === undefined) return;
      const error = new VirtioError(breach.code, `configuration write: ${breach.reason}`, breach);
      report.violation(error, breach.code === "STATUS_SEQUENCE" ? policy : {});
    });
  }

  /** Another number whenever two accesses may have seen different values, or what the profile has instead. */
  generation(): number {
    const value = this.readGeneration();
    const access: RegisterAccess = { register: "config-generation", how: "read", value };
    const event = { step: "config", field: "generation", after: `${value}`, section: "2.5", note: "read" };
    this.parts.report.during(access, event, () => {});
    return value;
  }

  /** The driver is about to be notified of a change. */
  countNotice(): void {
    this.notices = (this.notices + 1) & 0xff;
  }

  private readGeneration(): number {
    const { space, features, profile } = this.parts;
    if (profile.generation === "constant") return 0;
    if (profile.generation === "counts-notifications") return this.notices;
    return this.attempt(() => space.readGeneration(features.applied), 0);
  }

  /** §2.5.3: the guest's own byte order on the legacy interface, little-endian on the modern one. */
  private get order(): ByteOrder {
    const { byteOrder, features, model } = this.parts;
    return byteOrder === "big" && features.isLegacy && !model.littleEndianConfig ? "big" : "little";
  }

  /** Whether ordinary writable fields take a value: from FEATURES_OK on, and for legacy drivers always (§3.1.2). */
  private get mayWrite(): boolean {
    const { features, profile } = this.parts;
    const applies = profile.policies.earlyConfigWrite === "apply";
    return features.negotiated !== undefined || features.isLegacy || applies;
  }

  private beyond(code: string, bytes: number): number {
    const isOnes = code === "CONFIG_RANGE" && this.parts.profile.beyondConfig === "ones";
    return isOnes ? 2 ** (8 * bytes) - 1 : 0;
  }

  /** The values are the model's, which may fail. */
  private attempt<T>(access: () => T, otherwise: T): T {
    try {
      return access();
    } catch (error) {
      this.parts.needsReset(asVirtioError(error));
      return otherwise;
    }
  }
}

const SUSPENDED: ConfigBreach = {
  code: "STATUS_SEQUENCE",
  reason: "the driver has the device suspended",
  section: "3.4.1",
};

const RESETTING: ConfigBreach = {
  code: "STATUS_SEQUENCE",
  reason: "the reset is not over",
  section: "2.4.2",
};

/** Hexadecimal digits of an access, whatever width was asked for. */
function digits(bytes: number): number {
  return bytes === 4 || bytes === 2 ? 2 * bytes : 2;
}

function fieldText(fields: readonly string[], offset: number): string {
  return fields.length === 0 ? `offset ${offset}` : fields.join(" + ");
}
