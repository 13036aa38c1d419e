/** An access of the driver in words, for findings. */
import { hex, type RegisterAccess } from "../negotiation/control-event";
import { statusNames } from "../negotiation/status-names";
import { touchedFields } from "./act-of";
import type { Run } from "./run";

/** The access in words: "queue 0 enabled with 64 descriptors at status 0x03 (ACKNOWLEDGE | DRIVER)". */
export function told(run: Run, access: RegisterAccess): string {
  return `${deed(run, access)} at status ${hex(run.shown)} (${statusNames(run.shown)})`;
}

/** The fields of an access by name, or its offset. */
export function fieldText(run: Run, access: RegisterAccess): string {
  const names = touchedFields(run, access).map(({ name }) => name);
  return names.length === 0 ? `offset ${access.index ?? 0}` : names.join(" + ");
}

function deed(run: Run, access: RegisterAccess): string {
  const { register, how, value, index = 0, bytes = 1 } = access;
  switch (register) {
    case "driver-features":
      return `feature word ${index} written ${hex(value, 8)}, it held ${hex(run.accepted.word(index), 8)},`;
    case "device-features":
      return `offered feature word ${index} read (${hex(value, 8)})`;
    case "config":
      return `${fieldText(run, access)} ${how === "read" ? "read" : "written"} (${hex(value, 2 * bytes)})`;
    case "config-generation":
      return `generation read (${value})`;
    case "queue-size":
      return `size of queue ${index} read (${value})`;
    case "queue-enable":
      if (how === "read") return `queue ${index} looked at`;
      return value === 0 ? `queue ${index} stopped` : `queue ${index} enabled (size ${value})`;
    case "queue-reset":
      return `queue ${index} ${how === "read" ? "looked at" : "reset"}`;
    case "notify":
      return `notification ${hex(value)} sent`;
    case "status":
      return `status ${how === "read" ? "read" : "written"} ${hex(value)}`;
  }
}
