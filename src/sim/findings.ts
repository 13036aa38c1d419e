/** What the lint finds between one driver and one device of a run. */
import type { Finding } from "../conformance/finding";
import { judge } from "../conformance/judge";
import type { VirtioDevice } from "../device/device";
import type { VirtioDriver } from "../driver/driver";
import type { TranscriptEvent } from "../trace/transcript";

/** A finding, and which device of the run it is about. */
export interface RunFinding extends Finding {
  readonly device?: string;
}

/** Who is judged. */
export interface Judged {
  readonly device: VirtioDevice;
  readonly driver: VirtioDriver;
  /** The device's name in the transcript, if there are several. */
  readonly label?: string | undefined;
}

/** The findings of a pair so far, in the order of the events that show them. Ask before a reset: it forgets whether the
 * driver was a legacy one, and a run that mixes legacy and modern lives can't be judged. */
export function findingsOf(
  { device, driver, label }: Judged,
  events: readonly TranscriptEvent[],
): RunFinding[] {
  const { deviceType: type, transport } = driver;
  const found = judge(
    events.filter((event) => event.device === label),
    {
      offered: device.offered,
      transport: transport === "pci" || transport === "mmio" || transport === "ccw" ? transport : "loopback",
      legacy: driver.isLegacy && device.isLegacy,
      ...(type === undefined ? {} : { deviceType: type }),
    },
  );
  return found.map((finding) => (label === undefined ? finding : { ...finding, device: label }));
}
