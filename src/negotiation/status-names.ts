/** The status bits by name, for messages and transcripts of both sides (§2.1). */
import * as status from "../spec/status";

const PREFIX = "VIRTIO_CONFIG_S_";

const byBit = new Map<number, string>(
  Object.entries(status).map(([name, bit]) => [
    bit,
    name.slice(PREFIX.length).replace(/^NEEDS/, "DEVICE_NEEDS"),
  ]),
);

/** The names of the bits in a status byte, "ACKNOWLEDGE | DRIVER"; "0" for none, "bit 5" for the unassigned one. */
export function statusNames(value: number): string {
  const names: string[] = [];
  for (let bit = 0; bit < 8; bit++) {
    if ((value >>> bit) & 1) names.push(byBit.get(1 << bit) ?? `bit ${bit}`);
  }
  return names.length === 0 ? "0" : names.join(" | ");
}
