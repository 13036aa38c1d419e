// The status table against one written down by hand from §2.1, §3.1.1 and §3.4: every reachable (phase, status, SUSPEND
// negotiated or not) × every byte.
import { describe, expect, it } from "vitest";
import { CAREFUL, type DevicePolicies } from "../../src/device/policies";
import { judgeStatusWrite, LENIENT_STATUS, MODERN_STATUS, type Phase } from "../../src/device/status";
import { makeRig } from "../control-rig";

type Row = readonly [status: number, phase: Phase, steps: readonly number[]];

/** Status, its phase, and the bytes that take a step from there. All else but 0 and the byte itself is a breach. */
const PLAIN: readonly Row[] = [
  [0x00, "reset", [0x01, 0x80]],
  [0x01, "acknowledged", [0x03, 0x81]],
  [0x03, "negotiating", [0x0b, 0x83]],
  [0x0b, "setup", [0x0f, 0x8b]],
  [0x0f, "live", [0x8f]],
  [0x80, "failed", []],
  [0x81, "failed", []],
  [0x83, "failed", []],
  [0x8b, "failed", []],
  [0x8f, "failed", []],
  [0x40, "needs-reset", [0xc0]],
  [0x41, "needs-reset", [0xc1]],
  [0x43, "needs-reset", [0xc3]],
  [0x4b, "needs-reset", [0xcb]],
  [0x4f, "needs-reset", [0xcf]],
  [0xc0, "failed", []],
  [0xc1, "failed", []],
  [0xc3, "failed", []],
  [0xcb, "failed", []],
  [0xcf, "failed", []],
];

/** What SUSPEND adds from FEATURES_OK on. */
const WITH_SUSPEND: readonly Row[] = [
  [0x0b, "setup", [0x0f, 0x8b]],
  [0x0f, "live", [0x1f, 0x8f]],
  [0x1f, "suspending", [0x9f]],
  [0x1b, "suspended", [0x1f, 0x9b]],
  [0x1f, "resuming", [0x9f]],
  [0x4b, "needs-reset", [0xcb]],
  [0x4f, "needs-reset", [0xcf]],
  [0x5f, "needs-reset", [0xdf]],
  [0x5b, "needs-reset", [0xdb]],
  [0x8b, "failed", []],
  [0x8f, "failed", []],
  [0x9f, "failed", []],
  [0x9b, "failed", []],
  [0xdf, "failed", []],
  [0xdb, "failed", []],
];

const SUSPEND = 0x10;
const REACHABLE = [
  ...PLAIN.map((row) => [...row, false] as const),
  ...WITH_SUSPEND.map((row) => [...row, true] as const),
];

function expected(
  status: number,
  phase: Phase,
  steps: readonly number[],
  negotiated: boolean,
  written: number,
) {
  if (written === 0) return "reset";
  if ((status & ~written) !== 0) return "STATUS_CLEARED_BIT";
  const meant = phase === "live" && negotiated ? written : written & ~(SUSPEND & ~status);
  if (meant === status) return "nothing";
  return steps.includes(meant) ? "steps" : "STATUS_SEQUENCE";
}

function judge(phase: Phase, status: number, written: number, more: { canSuspend?: boolean } = {}) {
  const state = { phase, status, isLegacy: false, canSuspend: more.canSuspend ?? false };
  return judgeStatusWrite(MODERN_STATUS, CAREFUL, state, written);
}

describe("status writes", () => {
  it.each(REACHABLE)(
    "at %i (%s): all 256 bytes, steps %j, SUSPEND %s",
    (status, phase, steps, negotiated) => {
      for (let written = 0; written < 256; written++) {
        const verdict = judge(phase, status, written, { canSuspend: negotiated });
        const got = verdict.kind === "breach" ? verdict.breach.code : verdict.kind;
        expect(got, `0x${written.toString(16)} written at 0x${status.toString(16)}`).toBe(
          expected(status, phase, steps, negotiated, written),
        );
      }
    },
  );

  it("does nothing while a reset is under way, whatever is written", () => {
    for (let written = 0; written < 256; written++) {
      const verdict = judge("resetting", 0x0f, written);
      expect(verdict.kind).toBe(written === 0 ? "nothing" : "breach");
    }
  });

  it("negotiates and starts at the right steps", () => {
    const at = (phase: Phase, status: number, written: number) => {
      const verdict = judge(phase, status, written, { canSuspend: true });
      return verdict.kind === "steps" ? verdict.steps[0]?.does : verdict.kind;
    };
    expect(at("live", 0x0f, 0x1f)).toBe("suspend");
    expect(at("suspended", 0x1b, 0x1f)).toBe("resume");
    expect(at("reset", 0, 1)).toBeUndefined();
    expect(at("negotiating", 3, 0x0b)).toBe("negotiate");
    expect(at("setup", 0x0b, 0x0f)).toBe("start");
  });

  it.each([256, 0x10f, -1, 0.5, Number.NaN, 2 ** 32])("takes %d for no byte", (written) => {
    expect(judge("reset", 0, written)).toMatchObject({
      kind: "breach",
      breach: { code: "BAD_ARGUMENT" },
    });
  });

  it("names what was cleared and what may be set", () => {
    expect(judge("setup", 0x0b, 0x09)).toMatchObject({
      breach: { reason: "status 0x09 clears DRIVER of 0x0b" },
    });
    expect(judge("negotiating", 3, 7)).toMatchObject({
      breach: {
        reason: "DRIVER_OK at status 0x03: from here the driver may set FEATURES_OK or FAILED, one at a time",
      },
    });
    expect(judge("failed", 0x8b, 0x8f)).toMatchObject({
      breach: { reason: "DRIVER_OK at status 0x8b: after FAILED only a reset goes on" },
    });
    expect(judge("reset", 0, 0x40)).toMatchObject({
      breach: { reason: "DEVICE_NEEDS_RESET is not the driver's to set" },
    });
  });
});

describe("policies", () => {
  const careful = (policies: Partial<DevicePolicies>, phase: Phase, status: number, written: number) =>
    judgeStatusWrite(
      MODERN_STATUS,
      { ...CAREFUL, ...policies },
      { phase, status, isLegacy: false, canSuspend: true },
      written,
    );

  it("clearedStatusBit: the write is refused, the bit stays, or the byte is stored", () => {
    const at = (clearedStatusBit: DevicePolicies["clearedStatusBit"]) =>
      careful({ clearedStatusBit }, "setup", 0x0b, 0x0d);
    expect(at("refuse-write")).toMatchObject({ kind: "breach", breach: { code: "STATUS_CLEARED_BIT" } });
    expect(at("keep-bit")).toMatchObject({ kind: "steps", clears: 0, steps: [{ does: "start" }] });
    expect(at("store")).toMatchObject({ kind: "steps", clears: 2, steps: [{ does: "start" }] });
    for (const choice of ["refuse-write", "keep-bit", "store"] as const) {
      expect(at(choice)).toMatchObject({ policy: { name: "clearedStatusBit", choice } });
    }
  });

  it("clearedStatusBit keep-bit: a driver that resumes by taking SUSPEND back is understood", () => {
    const verdict = careful({ clearedStatusBit: "keep-bit" }, "suspended", 0x1b, 0x0f);
    expect(verdict).toMatchObject({ kind: "steps", steps: [{ does: "resume" }], breach: {} });
  });

  it("severalStatusBits: refused, or taken in the order of §3.1", () => {
    expect(careful({}, "reset", 0, 0x0f)).toMatchObject({
      kind: "breach",
      policy: { name: "severalStatusBits", choice: "refuse-write" },
    });
    const verdict = careful({ severalStatusBits: "in-order" }, "reset", 0, 0x0f);
    expect(verdict).toMatchObject({ kind: "steps", policy: { choice: "in-order" } });
    expect(verdict.kind === "steps" && verdict.steps.map(({ sets }) => sets)).toEqual([1, 2, 8, 4]);
  });

  it("a lenient table takes any bit from anywhere, and means nothing by what it can't use", () => {
    const lenient: DevicePolicies = { ...CAREFUL, clearedStatusBit: "store", severalStatusBits: "in-order" };
    for (const [status, phase] of PLAIN) {
      for (let written = 1; written < 256; written++) {
        const state = { phase, status, isLegacy: false, canSuspend: false };
        const verdict = judgeStatusWrite(LENIENT_STATUS, lenient, state, written);
        expect(["steps", "nothing"]).toContain(verdict.kind);
      }
    }
  });

  it("clearedStatusBit store: what is new in the byte counts from where the clearing has led", () => {
    const { device } = makeRig({ device: { profile: "qemu" } });
    for (const [first, phase] of [
      [0x08, "setup"],
      [0x80, "failed"],
    ] as const) {
      device.writeStatus(first);
      expect(device.phase).toBe(phase);
      device.writeStatus(0x01);
      expect([device.phase, device.status, device.negotiated]).toEqual(["acknowledged", 0x01, undefined]);
      device.writeStatus(0);
    }
  });
});
