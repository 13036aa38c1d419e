/** What the rings written for the comparison don't do: they know what is compared, and nothing else. */
import type { Workload } from "../ring";
import { guestBytes, SMALL_GUEST_BYTES, SMALL_QUEUE } from "../workload";

/** A breach: the workload has none. Out of line, so that checks don't weigh on what the engine inlines. */
export function fail(code: string): never {
  throw new Error(code);
}

/** Why a workload is beyond a comparison ring; undefined: it isn't. */
export function refusesBeyondBasics(workload: Workload): string | undefined {
  const { queueSize, queues, notify, device, shape } = workload;
  if (queues > 1) return "it has one queue";
  if (queueSize > SMALL_QUEUE) return `it has at most ${SMALL_QUEUE} descriptors`;
  if (guestBytes(workload) > SMALL_GUEST_BYTES) return `it has ${SMALL_GUEST_BYTES} bytes of guest RAM`;
  if (notify !== "off") return "it never asks for notifications";
  const isSimple = shape.readable.length === 1 && shape.writable.length === 1 && !shape.indirect;
  if (device === "echo" && !isSimple) return "it echoes one readable buffer into one writable buffer";
  return undefined;
}

/** As {@link refusesBeyondBasics}, for a ring whose device is a sink. */
export function refusesEcho(workload: Workload): string | undefined {
  return workload.device === "echo" ? "it has a sink for a device" : refusesBeyondBasics(workload);
}
