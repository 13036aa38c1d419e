/** Errors as the page puts them. */
import { V86_VERSION } from "virtq/v86";
import { describe, expect, it } from "vitest";
import { failureOf } from "../../../examples/v86/failure";
import { GuestImageError } from "../../../examples/v86/guest-images";
import { v86Cpu } from "../../../src/adapters/v86/hooks";

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing thrown");
}

describe("failureOf", () => {
  it("has both sides of a file that is none", () => {
    expect(failureOf(new GuestImageError("bios.bin", "this", "that"), "1")).toMatchObject({
      title: "bios.bin can’t be booted",
      expected: "this",
      found: "that",
      advice: expect.stringContaining("npm run example:v86"),
    });
  });

  it("has both versions of v86, and what is missing", () => {
    expect(
      failureOf(
        thrownBy(() => v86Cpu({})),
        "9.9.9",
      ),
    ).toMatchObject({
      title: "Another v86",
      expected: `v86 ${V86_VERSION}`,
      found: expect.stringMatching(/^v86 9\.9\.9: the emulator lacks v86\.cpu:/),
      advice: expect.stringContaining(`npm install v86@${V86_VERSION}`),
    });
  });

  it.each([new Error("out of memory"), "out of memory"])("has the words of %s", (error) => {
    expect(failureOf(error, "1")).toMatchObject({ found: "out of memory" });
  });
});
