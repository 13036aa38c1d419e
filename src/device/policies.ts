/**
 * What the specification leaves open, as named choices: a device profile picks one for each, and the transcript says
 * when one decided (docs/decisions/0005). Data only; who asks is beside each name.
 */

/** A choice for every open corner. */
export interface DevicePolicies {
  /** A bit is accepted that was not offered: FEATURES_OK is refused, or the bit is dropped in silence (§2.2.2). */
  readonly unofferedBits: "refuse" | "mask";
  /** FEATURES_OK once more after a refusal, without a reset in between: judged anew, or refused again (§3.1.1). */
  readonly retryAfterRefusal: "judge" | "refuse";
  /** A different set is written after FEATURES_OK: without effect, or the end until a reset (§3.1.1). */
  readonly featuresAfterOk: "ignore" | "needs-reset";
  /**
   * A status write lacks a bit that is set (§2.1.1): it has no effect at all, its new bits count and the old ones
   * stay, or the byte is taken as it is written.
   */
  readonly clearedStatusBit: "refuse-write" | "keep-bit" | "store";
  /** A status write sets several bits at once (§3.1.1): it has no effect, or they count in the order of §3.1. */
  readonly severalStatusBits: "refuse-write" | "in-order";
  /** The other bits of a write whose FEATURES_OK is refused (§2.2.2): lost with it, or set. */
  readonly refusedWrite: "drop" | "keep-others";
  /** A writable field is written before FEATURES_OK (§3.1.1): without effect, or it takes the value. */
  readonly earlyConfigWrite: "ignore" | "apply";
  /** The configuration changes before DRIVER_OK: the notification waits for it, or is not sent (§3.2). */
  readonly earlyConfigNotice: "hold" | "drop";
}

/** A corner by name. */
export type PolicyName = keyof DevicePolicies;

/** What harms nobody: nothing that wasn't promised takes effect, and nobody who could go on is stopped. */
export const CAREFUL: DevicePolicies = {
  unofferedBits: "refuse",
  retryAfterRefusal: "judge",
  featuresAfterOk: "ignore",
  clearedStatusBit: "refuse-write",
  severalStatusBits: "refuse-write",
  refusedWrite: "drop",
  earlyConfigWrite: "ignore",
  earlyConfigNotice: "hold",
};
