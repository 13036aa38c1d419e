// The status table against one written down by hand from §2.1 and §3.1.1: every reachable status × every byte.
import { describe, expect, it } from "vitest";
import { judgeStatusWrite, MODERN_STATUS, type Phase } from "../../src/device/status";

/** Status, its phase, and the bytes that take a step from there. All else but 0 and the byte itself is a breach. */
const REACHABLE: readonly (readonly [status: number, phase: Phase, steps: readonly number[]])[] = [
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

const SUSPEND = 0x10;

function expected(status: number, steps: readonly number[], written: number): string {
  if (written === 0) return "reset";
  if ((status & ~written) !== 0) return "STATUS_CLEARED_BIT";
  if ((written & ~SUSPEND) === status) return "nothing";
  return steps.includes(written & ~SUSPEND) ? "step" : "STATUS_SEQUENCE";
}

describe("status writes", () => {
  it.each(REACHABLE)("at 0x%s (%s): all 256 bytes", (status, phase, steps) => {
    for (let written = 0; written < 256; written++) {
      const verdict = judgeStatusWrite(MODERN_STATUS, phase, status, written);
      const got = verdict.kind === "breach" ? verdict.code : verdict.kind;
      expect(got, `0x${written.toString(16)} written at 0x${status.toString(16)}`).toBe(
        expected(status, steps, written),
      );
    }
  });

  it("negotiates and starts at the right steps", () => {
    const at = (phase: Phase, status: number, written: number) => {
      const verdict = judgeStatusWrite(MODERN_STATUS, phase, status, written);
      return verdict.kind === "step" ? verdict.step.does : verdict.kind;
    };
    expect(at("reset", 0, 1)).toBeUndefined();
    expect(at("negotiating", 3, 0x0b)).toBe("negotiate");
    expect(at("setup", 0x0b, 0x0f)).toBe("start");
  });

  it.each([256, 0x10f, -1, 0.5, Number.NaN, 2 ** 32])("takes %d for no byte", (written) => {
    expect(judgeStatusWrite(MODERN_STATUS, "reset", 0, written)).toMatchObject({
      kind: "breach",
      code: "BAD_ARGUMENT",
    });
  });

  it("names what was cleared and what may be set", () => {
    expect(judgeStatusWrite(MODERN_STATUS, "setup", 0x0b, 0x09)).toMatchObject({
      reason: "status 0x09 clears DRIVER of 0x0b",
    });
    expect(judgeStatusWrite(MODERN_STATUS, "negotiating", 3, 7)).toMatchObject({
      reason: "DRIVER_OK at status 0x03: from here the driver may set FEATURES_OK or FAILED, one at a time",
    });
    expect(judgeStatusWrite(MODERN_STATUS, "failed", 0x8b, 0x8f)).toMatchObject({
      reason: "DRIVER_OK at status 0x8b: after FAILED only a reset goes on",
    });
    expect(judgeStatusWrite(MODERN_STATUS, "reset", 0, 0x40)).toMatchObject({
      reason: "DEVICE_NEEDS_RESET is not the driver's to set",
    });
  });
});
