/** A negotiation in a sentence: the way of the driver from reset to DRIVER_OK, and what the device decided. */
import type { SimEvent } from "../sim/metrics";

/** The steps of one device's transcript with arrows between them. */
export function transcriptPath(events: readonly SimEvent[]): string {
  const steps = events.map(stepText).filter((text) => text !== "");
  return steps.filter((text, i) => text !== steps[i - 1]).join(" → ");
}

function stepText({ side, step, field, after, note, sets, code }: SimEvent): string {
  if (code !== undefined) return `${code}: ${note}`;
  if (side === "device") return "";
  switch (step) {
    case "reset":
      return "reset";
    case "status":
      return note ?? "";
    case "features":
      if (sets === undefined || (field !== "offered" && field !== "accepted")) return "";
      return `${field} ${sets[field].join(", ")}`;
    case "validate":
      return `validate: ${note}`;
    case "layout":
      return `${after} ring`;
    case "queue":
      return `${field}: ${after}`;
    case "config":
      return `${note} ${field}`;
    default:
      return "";
  }
}
