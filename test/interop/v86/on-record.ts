/** Holds what a boot showed against what is on record of it, and writes that anew where vitest is told to (`-u`). */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { DeviceType } from "../../../src/negotiation/feature-table";
import { initialisationOrder } from "../../conformance/initialisation-order";
import { type Boot, type LinuxRecord, PAGE, page, RECORDS, REWRITE, recorded } from "./linux-record";
import type { Actor, Witness } from "./witness";

/** What a record is made of. */
export interface OnRecord {
  readonly boot: Boot;
  /** Name and version of who was there. */
  readonly guests: LinuxRecord["guests"];
  /** Who drives which types, by whose order is recorded. */
  readonly driven: readonly (readonly [Actor, readonly DeviceType[]])[];
  /** On devices made for this. */
  readonly ring: string;
}

/** Fails where the boot and its record, or the page, differ, and for a finding that has no reason. */
export async function expectOnRecord(
  witness: Witness,
  { boot, guests, driven, ring }: OnRecord,
): Promise<void> {
  witness.begin();
  const records = { attached: read("attached"), upgraded: read("upgraded") };
  const order = (actor: Actor, type: DeviceType) =>
    initialisationOrder(type, witness.accesses(actor, type, ring)).join(", ");
  const orders = driven.map(
    ([actor, types]) => [actor, Object.fromEntries(types.map((type) => [type, order(actor, type)]))] as const,
  );
  const record: LinuxRecord = {
    schema: "virtq.linux-findings/1",
    guests,
    orders: Object.fromEntries(orders),
    findings: recorded(witness.seen, records[boot]),
  };
  const advice = `if the change is meant: ${REWRITE}, and a reason for what is new`;
  await expect(`${JSON.stringify(record, undefined, 2)}\n`, advice).toMatchFileSnapshot(RECORDS[boot]);
  await expect(page({ ...records, [boot]: record }), advice).toMatchFileSnapshot(PAGE);
  const unexplained = record.findings.filter(({ reason }) => reason === "");
  expect(unexplained, `say why in ${RECORDS[boot]}`).toEqual([]);
  console.log(`${record.findings.length} findings in ${witness.seen.length} places`);
}

function read(boot: Boot): LinuxRecord {
  return JSON.parse(readFileSync(RECORDS[boot], "utf8")) as LinuxRecord;
}
