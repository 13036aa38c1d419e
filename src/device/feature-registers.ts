/**
 * The feature words as the transports reach them (§2.2): every access leaves an event, a write after FEATURES_OK what the
 * profile's policy says.
 */
import { VirtioError } from "../errors";
import { hex, type RegisterAccess, setNames } from "../negotiation/control-event";
import type { DeviceFeatures } from "./device-features";
import type { DeviceReporter, DeviceState } from "./device-state";
import type { DevicePolicies } from "./policies";
import { use } from "./status";

/** What the registers work on. */
export interface FeatureRegisterParts {
  readonly features: DeviceFeatures;
  readonly policies: DevicePolicies;
  readonly state: Readonly<DeviceState>;
  readonly report: DeviceReporter;
  /** DEVICE_NEEDS_RESET; the breach was reported already. */
  breakDown(): void;
}

/** Reads and writes of one device's feature words. */
export class FeatureRegisters {
  private readonly parts: FeatureRegisterParts;

  constructor(parts: FeatureRegisterParts) {
    this.parts = parts;
  }

  /** A word of the offer, 32 bits; what the profile shows beyond the last one. */
  read(word: number): number {
    const value = this.parts.features.readWord(word);
    const access: RegisterAccess = { register: "device-features", how: "read", index: word, value };
    const after = hex(value, 8);
    const plain = { step: "features", field: `offered word ${word}`, after, section: "2.2", note: "read" };
    this.parts.report.during(access, plain, () => {});
    return value;
  }

  /** Replaces a word of the accepted set, a u32. */
  write(word: number, value: number): void {
    const access: RegisterAccess = { register: "driver-features", how: "write", index: word, value };
    const plain = { step: "features", field: `accepted word ${word}`, after: hex(value, 8), section: "2.2" };
    this.parts.report.during(access, { ...plain, note: "no change" }, () => this.accept(word, value));
  }

  private accept(word: number, after: number): void {
    const { features, report, state, policies } = this.parts;
    const at = features.wordIndex(word);
    const held = () => (at === undefined ? 0 : features.accepted.word(at));
    const before = held();
    if (features.negotiated !== undefined) {
      if (after !== before) this.acceptLate(word, before, after);
      return;
    }
    if (state.phase !== "negotiating") {
      const reason = `features written at status ${hex(state.status)}, their time is after DRIVER`;
      report.violation(new VirtioError("STATUS_SEQUENCE", reason, { section: "3.1.1" }));
      if (state.phase === "resetting") return;
    }
    features.writeWord(word, after);
    const isMasked = at !== undefined && held() !== after;
    const { type, offered, accepted, negotiated } = features;
    report.event({
      step: "features",
      field: `accepted word ${word}`,
      before: hex(before, 8),
      after: hex(held(), 8),
      section: "2.2",
      sets: setNames(type, offered, accepted, negotiated),
      ...(isMasked ? { policy: use(policies, "unofferedBits") } : {}),
      ...(at === word ? {} : { note: at === undefined ? "there is no such word" : `taken for word ${at}` }),
    });
  }

  private acceptLate(word: number, before: number, after: number): void {
    const { features, report, policies } = this.parts;
    const reason = `features word ${word} written after FEATURES_OK: ${hex(after, 8)} for ${hex(before, 8)}`;
    features.lateWrite();
    const policy = use(policies, "featuresAfterOk");
    report.violation(new VirtioError("FEATURES_FROZEN", reason, { section: "3.1.1" }), { policy });
    if (policy.choice === "needs-reset") this.parts.breakDown();
  }
}
