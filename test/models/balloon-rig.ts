/** A balloon behind a loopback, with what it told the host. */

import { BALLOON_DRIVER_FEATURES } from "../../src/driver/balloon-features";
import type { DriverOptions } from "../../src/driver/driver";
import { BalloonModel, type BalloonOptions } from "../../src/models/balloon";
import type { BalloonStat } from "../../src/models/balloon-stats";
import { openRig } from "./rig";

export const INFLATEQ = 0;
export const DEFLATEQ = 1;
export const STATSQ = 2;

/** What the host heard, in order. */
export interface Heard {
  readonly inflated: number[];
  readonly deflated: number[];
  readonly stats: (readonly BalloonStat[])[];
}

export async function openBalloon(
  options: BalloonOptions = {},
  ring: readonly string[] = ["VERSION_1"],
  accept: readonly string[] = BALLOON_DRIVER_FEATURES,
  driver: Partial<DriverOptions> = {},
) {
  const heard: Heard = { inflated: [], deflated: [], stats: [] };
  const model = new BalloonModel({
    onInflate: (pfns) => void heard.inflated.push(...pfns),
    onDeflate: (pfns) => void heard.deflated.push(...pfns),
    onStats: (stats) => void heard.stats.push(stats),
    ...options,
  });
  const violations: string[] = [];
  const device = { onViolation: ({ code }: { code: string }) => void violations.push(code) };
  const rig = await openRig(model, [...ring, ...accept], device, driver);
  return { ...rig, rig, model, heard, violations };
}

/** A list of page numbers as a driver sends it. */
export function pfnList(...pfns: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * pfns.length);
  const view = new DataView(bytes.buffer);
  for (const [i, pfn] of pfns.entries()) view.setUint32(4 * i, pfn, true);
  return bytes;
}

/** Statistics as a driver sends them. */
export function statList(...stats: (readonly [tag: number, value: bigint])[]): Uint8Array {
  const bytes = new Uint8Array(10 * stats.length);
  const view = new DataView(bytes.buffer);
  for (const [i, [tag, value]] of stats.entries()) {
    view.setUint16(10 * i, tag, true);
    view.setBigUint64(10 * i + 2, value, true);
  }
  return bytes;
}
