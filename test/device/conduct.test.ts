/**
 * The table of conduct (docs/conduct.md), as far as it needs no QEMU: our columns are asked anew, QEMU's is the record
 * that test/interop/conduct keeps.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { faultsOf } from "../interop/conduct/comparison";
import { conduct, PAGE, type QemuRecord, RECORD } from "../interop/conduct/page";
import { ours, type Probe } from "../interop/conduct/probe";
import { PROBES } from "../interop/conduct/probes";

const record = JSON.parse(readFileSync(RECORD, "utf8")) as QemuRecord;
const probes = PROBES.flatMap((group) => group.probes);

describe("the table of conduct", () => {
  it("every difference from QEMU has a reason, and every reason a difference", async () => {
    expect((await conduct(record)).faults).toEqual([]);
  });

  it("docs/conduct.md says what our devices do", async () => {
    const { text } = await conduct(record);
    const advice = "if the change is meant: npx vitest run test/device/conduct.test.ts -u";
    await expect(text, advice).toMatchFileSnapshot(PAGE);
  });

  it("a probe is there once, and names a clause and a section, or the section alone", () => {
    expect(new Set(probes.map(({ does }) => does)).size).toBe(probes.length);
    for (const { rule } of probes) expect(rule).toMatch(/^([A-Z0-9-]+-\d{3} )?§\d+(\.\d+)*$/);
  });

  it("a difference without a reason is a fault, and so is a reason without a difference", () => {
    const probe: Probe = { does: "does it", rule: "§2.1", device: "console", run: () => "" };
    const said: Probe = { ...probe, differs: { strict: ours("the rule says so") } };
    const fault = (one: Probe, qemu: string | undefined, strict: string) =>
      faultsOf({ probe: one, qemu, ours: { strict, "qemu-mmio": "a" } });
    expect(fault(probe, "a", "a")).toEqual([]);
    expect(fault(probe, "a", "b")).toEqual(['"does it": QEMU "a", strict "b": say why in its probe']);
    expect(fault(said, "a", "b")).toEqual([]);
    expect(fault(said, "a", "a")).toEqual([
      '"does it": QEMU "a", strict "a": the reason in its probe holds no more',
    ]);
    expect(fault(probe, undefined, "b")).toEqual(['"does it": no answer of QEMU is recorded']);
    expect(fault({ ...probe, notAsked: "ends" }, undefined, "b")).toEqual([]);
  });
});
