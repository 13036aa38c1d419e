/** One simulated Linux driver on its device, from reset to reset, and all that both say of it. */
import { expect } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import type { DriverProfile } from "../../src/driver/profiles";
import { findingsOf } from "../../src/sim/findings";
import { Pair } from "../../src/sim/pair";
import { Transcript, type TranscriptEvent } from "../../src/trace/transcript";
import { KNOWN, LINUX_DRIVERS, OFFER } from "./linux-drivers";

/** Where it runs. */
export interface LinuxGuest {
  readonly transport: string;
  readonly byteOrder: "little" | "big";
}

/** What came of it. */
export interface LinuxRun {
  /** The clauses that were broken, sorted, each once. */
  readonly clauses: readonly string[];
  readonly events: readonly TranscriptEvent[];
}

/** Initialises a device of this type in the order of a profile, reads what a live driver reads, and resets it. */
export async function runLinux(
  profile: DriverProfile | string,
  type: string,
  guest: LinuxGuest,
): Promise<LinuxRun> {
  const linux = LINUX_DRIVERS[type];
  if (linux === undefined) throw new Error(`no driver for ${type}`);
  const { validate, probes, reads = [], readsLive = [] } = linux;
  const transcript = new Transcript();
  const pair: Pair = new Pair({
    core: loadCoreSync({ guestBytes: 1 << 20 }),
    model: linux.model(),
    transcript,
    offer: OFFER,
    accept: [...KNOWN, ...linux.knows],
    driverProfile: profile,
    byteOrder: guest.byteOrder,
    transport: { transport: guest.transport },
    pumped: true,
    queueSize: 16,
    ...(validate === undefined ? {} : { validate: async (context) => [...(await validate(context))] }),
    probe: async ({ readConfigFields }) => void (await readConfigFields(probes)),
    fill: async () => {
      await linux.fill?.(pair);
      for (const field of reads) await pair.driver.readConfigField(field);
    },
  });
  expect(await pair.driver.initialize()).toMatchObject({ ok: true });
  for (const field of readsLive) await pair.driver.readConfigField(field);
  await pair.driver.reset();
  const clauses = new Set(findingsOf(pair, transcript.events).map(({ clause }) => clause));
  return { clauses: [...clauses].sort(), events: transcript.events };
}
