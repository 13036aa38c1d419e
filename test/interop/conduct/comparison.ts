/** One probe's answers side by side, and whether what is said of their differences still holds. */

import { PROFILES, type ProfileName } from "./our-subject";
import type { Difference, Probe } from "./probe";

/** What was seen of one probe. */
export interface Answers {
  readonly probe: Probe;
  /** Absent where QEMU isn't asked. */
  readonly qemu: string | undefined;
  readonly ours: Readonly<Record<ProfileName, string>>;
}

/** Differences without a reason, and reasons without a difference: one line each, none when all is said. */
export function faultsOf({ probe, qemu, ours }: Answers): string[] {
  const { does, differs = {}, notAsked } = probe;
  if (qemu === undefined) {
    return notAsked === undefined ? [`"${does}": no answer of QEMU is recorded`] : [];
  }
  return PROFILES.flatMap((profile) => {
    const isDifferent = ours[profile] !== qemu;
    if (isDifferent === (differs[profile] !== undefined)) return [];
    const what = `"${does}": QEMU "${qemu}", ${profile} "${ours[profile]}"`;
    return [isDifferent ? `${what}: say why in its probe` : `${what}: the reason in its probe holds no more`];
  });
}

const RESULT: Readonly<Record<Difference["stricter"], string>> = {
  ours: "ours stricter",
  QEMU: "QEMU stricter",
  neither: "left open",
};

/** What a row comes to in two words. */
export function resultOf({ probe, qemu }: Answers): string {
  if (qemu === undefined) return "not asked";
  const { strict } = probe.differs ?? {};
  return strict === undefined ? "agree" : RESULT[strict.stricter];
}

/** The reasons of a row, each once; one that is the profile's alone says so. */
export function reasonsOf({ probe, qemu }: Answers): string[] {
  if (qemu === undefined) return [`QEMU ${probe.notAsked}`];
  const { strict, "qemu-mmio": profile } = probe.differs ?? {};
  const own = profile === undefined || profile.why === strict?.why ? [] : [`qemu-mmio: ${profile.why}`];
  return [...(strict === undefined ? [] : [strict.why]), ...own];
}
