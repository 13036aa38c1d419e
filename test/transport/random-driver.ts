/**
 * What random drivers of any transport have in common: values near the boundaries, a model that is slow to reset and
 * keeps a chain now and then, and a count of what a run met.
 */
import { expect } from "vitest";
import type { VirtioDevice } from "../../src/device/device";
import { PHASES } from "../../src/device/status";
import { VirtioError } from "../../src/errors";
import { TestModel } from "../control-rig";
import type { Random } from "../property/random";
import type { DeviceBench } from "./device-bench";

export const ODD_OFFSETS = [-4, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 53];
export const WIDTHS = [0, 1, 2, 3, 8, -4, 0.5, Number.NaN];
export const VALUES = [
  0, 1, 2, 3, 4, 6, 8, 16, 64, 256, 0x1000, 0x2000, 0x3000, 0x4000, 0x3f000, 0x40000, 0x8000_0000,
  0xffff_fff0, 0xffff_ffff,
];
const STATUSES = [0, 1, 3, 0x0b, 0x0f, 0x1f, 0x4f, 0x8f, 0x07, 0xff, 0x100];
const ODD_VALUES = [-1, 0.5, Number.NaN, 2 ** 40, Number.NEGATIVE_INFINITY];

/** A value for any register but the status. */
export function randomValue(random: Random): number {
  if (random.oneIn(12)) return random.oneIn(3) ? random.pick(ODD_VALUES) : random.u32();
  return random.pick(VALUES);
}

/** A status. 0 ends what a program has built up: seldom. */
export function randomStatus(random: Random): number {
  if (random.oneIn(12)) return random.oneIn(3) ? random.pick(ODD_VALUES) : random.u32();
  return random.oneIn(6) ? 0 : random.pick(STATUSES);
}

/** What a run met. */
export interface Coverage {
  accesses: number;
  programs: number;
  /** Accesses at each phase of the device. */
  readonly phases: Map<string, number>;
  readonly codes: Map<string, number>;
  /** Chains that the device served. */
  chains: number;
}

export const freshCoverage = (): Coverage => ({
  accesses: 0,
  programs: 0,
  phases: new Map(),
  codes: new Map(),
  chains: 0,
});

/** A program that stays at one place would prove little. @param codes that came often enough to be tested */
export function expectCoverage({ phases, codes: met, chains }: Coverage, codes: readonly string[]): void {
  expect(chains).toBeGreaterThan(100);
  for (const phase of PHASES.filter((one) => !["suspending", "suspended", "resuming"].includes(one)))
    expect(phases.get(phase) ?? 0, phase).toBeGreaterThan(100);
  expect(phases.get("resetting") ?? 0, "resetting").toBeGreaterThan(100);
  for (const code of codes) expect(met.get(code) ?? 0, code).toBeGreaterThan(50);
}

/** Counts an access. @param says what a complaint about it begins with */
export function count(
  met: Coverage,
  phase: VirtioDevice["phase"],
  violations: readonly unknown[],
  says: (what: string) => string,
): void {
  met.accesses++;
  met.phases.set(phase, (met.phases.get(phase) ?? 0) + 1);
  for (const error of violations) {
    if (!(error instanceof VirtioError)) throw new Error(says("an untyped error"));
    met.codes.set(error.code, (met.codes.get(error.code) ?? 0) + 1);
  }
}

/** Its resets wait every other time, and it holds a chain now and then, unless it is told not to be slow. */
export class SlowModel extends TestModel {
  readonly quiet: (() => void)[] = [];
  isSlow = true;
  private readonly random: Random;

  constructor(random: Random, deviceId = 0) {
    super({
      deviceId,
      queues: [
        { name: "a", maxSize: 256 },
        { name: "b", maxSize: 64 },
      ],
      config: [
        { name: "ro", offset: 0, bytes: 8, anyOf: [], value: 1n },
        { name: "rw", offset: 8, bytes: 4, anyOf: [], writable: true, value: 2 },
        { name: "byte", offset: 12, bytes: 1, anyOf: [], writable: "any-time", value: 3 },
      ],
    });
    this.random = random;
  }

  override process(...call: Parameters<TestModel["process"]>): number {
    this.holds = this.isSlow && this.random.oneIn(8);
    return super.process(...call);
  }

  override reset(): Promise<void> | undefined {
    super.reset();
    return !this.isSlow || this.random.oneIn(2)
      ? undefined
      : new Promise((resolve) => this.quiet.push(resolve));
  }
}

/** Lets resets end that are under way. */
export async function settle({ model, device }: DeviceBench): Promise<void> {
  if (model instanceof SlowModel) for (const quiet of model.quiet.splice(0)) quiet();
  await device.idle();
}

/** Writes random words over the beginning of the descriptors at 0x1000. */
export function dirtyTable({ memory }: DeviceBench, random: Random): void {
  for (let i = 0; i < 16; i++) memory.setU32(0x1000 + 4 * random.below(64), random.u32());
}
