/**
 * What a driver or a device says about each step on the control plane.
 * Whoever listens gets plain data; the two sides don't know who that is (the transcript is in src/trace).
 */
import type { ErrorCode } from "../errors";
import type { FeatureSet } from "./feature-set";
import type { DeviceType } from "./feature-table";

/** The three sets by name, after the step. */
export interface SetNames {
  /** What the device offers. */
  readonly offered: readonly string[];
  /** What the driver feature words hold now. */
  readonly accepted: readonly string[];
  /** The accepted set that FEATURES_OK froze; empty until then. */
  readonly negotiated: readonly string[];
}

/** The registers of a device, whatever the transport calls them. */
export type RegisterName =
  | "status"
  /** `index` is the word, 0…3. */
  | "device-features"
  /** `index` is the word, 0…3. */
  | "driver-features"
  /** `index` is the offset, `bytes` the width. */
  | "config"
  | "config-generation"
  /** The largest size of queue `index`; 0: no such queue. */
  | "queue-size"
  /** Queue `index`; written: its size, or 0 to stop it; read: 1 if it is enabled. */
  | "queue-enable"
  /** Queue `index`. */
  | "queue-reset"
  /** An available buffer notification (§2.9). */
  | "notify";

/** One access of the driver to a register, as the device saw it, or a tap on the port (src/conformance judges by these). */
export interface RegisterAccess {
  readonly register: RegisterName;
  readonly how: "read" | "write";
  /** What was read or written, a u32. */
  readonly value: number;
  /** Feature word, queue or configuration offset. */
  readonly index?: number;
  /** Width of a configuration access: 1, 2 or 4. */
  readonly bytes?: number;
}

/** A corner that the specification leaves open, and what this device does there. */
export interface PolicyUse {
  /** "retryAfterRefusal", "featuresAfterOk", "clearedStatusBit", "refusedWrite", … */
  readonly name: string;
  readonly choice: string;
}

/** One step on the control plane. */
export interface ControlEvent {
  readonly side: "driver" | "device";
  /** Which device of a run, if there are several: whoever records adds it. */
  readonly device?: string;
  /** What kind of step: "status", "features", "config", "queue", "reset", "validate", "notify", "interrupt", "exposed", "violation", … */
  readonly step: string;
  /** The register, the configuration field or the queue. */
  readonly field?: string;
  readonly before?: string;
  readonly after?: string;
  /** Section of virtio 1.4. */
  readonly section: string;
  /** A sentence for the reader. */
  readonly note?: string;
  /** What was breached; only for a finding. */
  readonly code?: ErrorCode;
  /** Only where one of the sets changed. */
  readonly sets?: SetNames;
  /** The access of the driver that this is about; the driver's own events carry none. */
  readonly access?: RegisterAccess;
  /** The open corner that decided. */
  readonly policy?: PolicyUse;
}

/** Takes events as they happen. */
export type EventSink = (event: ControlEvent) => void;

/** A status byte or another register, as the events show it. */
export function hex(value: number, digits = 2): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** The names of the three sets for an event; a set that doesn't exist yet is empty. */
export function setNames(
  type: DeviceType | undefined,
  offered: FeatureSet,
  accepted: FeatureSet,
  negotiated: FeatureSet | undefined,
): SetNames {
  return {
    offered: offered.names(type),
    accepted: accepted.names(type),
    negotiated: negotiated?.names(type) ?? [],
  };
}
