/** Puts probes to devices. Each has a device of its own, and one that is lost is an answer, too. */
import type { Probe } from "./probe";
import { ProbeDriver } from "./probe-driver";
import type { Subject } from "./subject";

/** A device that doesn't answer its registers any more. */
export class SubjectLost extends Error {}

/** What is seen of such a device. */
export const LOST = "answers no more";

/** What a device shows in answer to a probe. */
export async function ask(probe: Probe, start: () => Subject | Promise<Subject>): Promise<string> {
  const subject = await start();
  try {
    return probe.run(new ProbeDriver(subject));
  } catch (error) {
    if (error instanceof SubjectLost) return LOST;
    throw error;
  } finally {
    await subject.stop();
  }
}
