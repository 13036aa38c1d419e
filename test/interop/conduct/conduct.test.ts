/**
 * The table of conduct, its QEMU column: every probe is put to a QEMU of its own, and the answers are those on record.
 * The other columns need no QEMU: test/device/conduct.test.ts.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { QEMU, QEMU_MISSING } from "../qemu/machine";
import { ask, LOST } from "./ask";
import { conduct, PAGE, type QemuRecord, RECORD, REWRITE } from "./page";
import { PROBES } from "./probes";
import { QemuSubject, qemuVersion } from "./qemu-subject";

/** How many answers may fail to come, at several seconds each, before there is no point in going on. */
const MOST_LOST = 3;

const { qemu: recorded } = JSON.parse(readFileSync(RECORD, "utf8")) as QemuRecord;

it(`QEMU ${recorded} answers every probe as it is on record, and the page says so`, async ({ skip }) => {
  const version = QEMU === undefined ? undefined : qemuVersion();
  const missing = version === undefined ? QEMU_MISSING : `QEMU is ${version}; the record is of ${recorded}`;
  if (version !== recorded) console.warn(missing);
  skip(version !== recorded && process.env.CI === undefined, missing);
  expect(version, missing).toBe(recorded);

  const answers: Record<string, string> = {};
  for (const probe of PROBES.flatMap(({ probes }) => probes)) {
    if (probe.notAsked !== undefined) continue;
    answers[probe.does] = await ask(probe, () => QemuSubject.start(probe.device));
    const lost = Object.keys(answers).filter((does) => answers[does] === LOST);
    expect(lost.length, `QEMU is lost at: ${lost.join("; ")}`).toBeLessThanOrEqual(MOST_LOST);
  }
  const record = { qemu: recorded, answers };
  const { text, faults } = await conduct(record);
  expect(faults).toEqual([]);
  const advice = `if the change is meant: ${REWRITE}`;
  await expect(`${JSON.stringify(record, undefined, 2)}\n`, advice).toMatchFileSnapshot(RECORD);
  await expect(text, advice).toMatchFileSnapshot(PAGE);
  console.log(`${Object.keys(answers).length} probes of QEMU ${recorded}`);
});
