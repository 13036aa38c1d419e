/**
 * The table of conduct, its QEMU column: every probe is put to a QEMU of its own, and the answers are those on record.
 * The other columns need no QEMU: test/device/conduct.test.ts.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { INSTALLED } from "../qemu/binaries";
import { ask, LOST } from "./ask";
import { conduct, PAGE, type QemuRecord, RECORD, REWRITE } from "./page";
import { PROBES } from "./probes";
import { QemuSubject } from "./qemu-subject";

/** Machines that are there at once: one starts while another one is asked. */
const LANES = 4;
/** How many answers may fail to come, at several seconds each, before there is no point in going on. */
const MOST_LOST = 3;

/** Asks QEMU everything that it can be asked, each in a machine of its own. */
async function askQemu(): Promise<Record<string, string>> {
  const probes = PROBES.flatMap((group) => group.probes).filter(({ notAsked }) => notAsked === undefined);
  const waiting = [...probes];
  const seen = new Map<string, string>();
  const lost: string[] = [];
  const lane = async (): Promise<void> => {
    for (let probe = waiting.shift(); probe !== undefined; probe = waiting.shift()) {
      const { does, device } = probe;
      const answer = await ask(probe, () => QemuSubject.start(device));
      seen.set(does, answer);
      if (answer === LOST && lost.push(does) > MOST_LOST) waiting.length = 0;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  expect(lost.length, `QEMU is lost at: ${lost.join("; ")}`).toBeLessThanOrEqual(MOST_LOST);
  return Object.fromEntries(probes.map(({ does }) => [does, seen.get(does) ?? LOST]));
}

const { qemu: recorded } = JSON.parse(readFileSync(RECORD, "utf8")) as QemuRecord;

it(`QEMU ${recorded} answers every probe as it is on record, and the page says so`, async ({ skip }) => {
  const { name, path } = INSTALLED;
  const isRecorded = path !== undefined && name === `QEMU ${recorded}`;
  const missing =
    path === undefined ? INSTALLED.missing : `installed is ${name}; the record is of QEMU ${recorded}`;
  if (!isRecorded) console.warn(missing);
  skip(!isRecorded && process.env.CI === undefined, missing);
  expect(isRecorded, missing).toBe(true);

  const answers = await askQemu();
  const record = { qemu: recorded, answers };
  const { text, faults } = await conduct(record);
  expect(faults).toEqual([]);
  const advice = `if the change is meant: ${REWRITE}`;
  await expect(`${JSON.stringify(record, undefined, 2)}\n`, advice).toMatchFileSnapshot(RECORD);
  await expect(text, advice).toMatchFileSnapshot(PAGE);
  console.log(`${Object.keys(answers).length} probes of QEMU ${recorded}`);
});
