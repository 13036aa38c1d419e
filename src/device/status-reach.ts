/**
 * Which pairs of phase and status byte a device can be in at all, found by walking its own status table (§2.1, §3.1,
 * §3.4) and what the device does by itself. For judging a saved pair; nothing here changes a device.
 */
import {
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_FAILED as FAILED,
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_CONFIG_S_SUSPEND as SUSPEND,
  VIRTIO_CONFIG_S_DRIVER,
} from "../spec/status";
import type { DeviceProfile } from "./profiles";
import type { Phase } from "./status";

type Stand = readonly [phase: Phase, status: number];

/** The bits without which there is no such phase, even where the driver may clear and set bits as it likes. */
const MEANS: Readonly<Partial<Record<Phase, number>>> = {
  negotiating: VIRTIO_CONFIG_S_DRIVER,
  setup: FEATURES_OK,
  live: DRIVER_OK,
  suspending: DRIVER_OK | SUSPEND,
  suspended: SUSPEND,
  resuming: DRIVER_OK | SUSPEND,
  "needs-reset": NEEDS_RESET,
  failed: FAILED,
};

const known = new WeakMap<DeviceProfile, ReadonlySet<string>>();

/** Whether a device of this profile can stand in `phase` and show `status`, 0…255. */
export function isReachable(profile: DeviceProfile, phase: Phase, status: number): boolean {
  if (profile.policies.clearedStatusBit === "store") {
    const bits = phase === "live" && profile.legacy !== undefined ? 0 : (MEANS[phase] ?? 0);
    return (status & bits) === bits;
  }
  let reached = known.get(profile);
  if (reached === undefined) {
    reached = walk(profile);
    known.set(profile, reached);
  }
  return reached.has(`${phase} ${status}`);
}

function walk(profile: DeviceProfile): ReadonlySet<string> {
  const reached = new Set<string>();
  const open: Stand[] = [["reset", 0]];
  for (let stand = open.pop(); stand !== undefined; stand = open.pop()) {
    const key = stand.join(" ");
    if (reached.has(key)) continue;
    reached.add(key);
    open.push(...written(profile, stand), ...byItself(profile, stand));
  }
  return reached;
}

/** The steps of the table. */
function written({ status: table, legacy }: DeviceProfile, [phase, status]: Stand): Stand[] {
  return table
    .filter(({ from, sets, only }) => {
      const isOpen = only !== "legacy" || legacy !== undefined;
      return from === phase && (status & sets) === 0 && isOpen;
    })
    .map(({ sets, to }) => [to, status | sets]);
}

/** DEVICE_NEEDS_RESET (§2.1.2), the ends of suspend and resume (§3.4.1), a legacy driver's early use (§3.1.2). */
function byItself({ legacy }: DeviceProfile, [phase, status]: Stand): Stand[] {
  const stands: Stand[] = [];
  if ((status & NEEDS_RESET) === 0)
    stands.push([phase === "failed" ? phase : "needs-reset", status | NEEDS_RESET]);
  if (phase === "suspending") stands.push(["suspended", status & ~DRIVER_OK]);
  if (phase === "resuming") stands.push(["live", status & ~SUSPEND]);
  if (legacy !== undefined && (phase === "acknowledged" || phase === "negotiating"))
    stands.push(["live", status]);
  return stands;
}
