/**
 * Feature names to bit numbers and back (§2.2, §6).
 * Names are the specification's, with or without their prefix; a wrong one is answered with the nearest right one.
 */
import { nearest, VirtioError } from "../errors";
import {
  type DeviceType,
  FEATURE_ALIASES,
  FEATURES,
  type FeatureRow,
  featureRows,
  RESERVED_FEATURES,
} from "./feature-table";

/** A feature, by bit number (0…127) or by name. */
export type Feature = number | string;

/** How many feature bits there are (§2.2): what lies above is reserved for the future. */
export const FEATURE_BITS = 128;

const RESERVED_PREFIX = "VIRTIO_F_";

/** Bits 0–23, 41, 42 and 50–127 belong to the device types (§2.2). */
export function isDeviceTypeBit(bit: number): boolean {
  return bit <= 23 || bit === 41 || bit === 42 || bit >= 50;
}

/**
 * The bit number of a feature.
 *
 * @param feature bit number 0…127 (given back), or a name such as "RING_PACKED", "VIRTIO_F_RING_PACKED",
 *   "VIRTIO_NET_F_MTU", "bit 44"; with a device type also its short names ("MTU")
 * @param type the device type whose short names count
 * @throws VirtioError UNKNOWN_NAME naming the nearest, or BAD_ARGUMENT for a number that is no feature bit
 */
export function featureBit(feature: Feature, type?: DeviceType): number {
  if (typeof feature === "number") return checkedBit(feature);
  const wanted = feature.trim().toUpperCase();
  const number = /^(?:BIT )?(\d+)$/.exec(wanted)?.[1];
  if (number !== undefined) return checkedBit(Number(number));
  const known = namesFor(type);
  const bit = known.get(FEATURE_ALIASES.get(wanted) ?? wanted);
  if (bit !== undefined) return bit;
  const hint = nearest(wanted, known.keys());
  throw new VirtioError(
    "UNKNOWN_NAME",
    `no feature is called "${feature}"${hint === undefined ? "" : `: did you mean ${hint}?`}`,
    { section: "2.2" },
  );
}

/**
 * The short name of a bit, as a reader would say it: "RING_PACKED", and with a device type "MTU".
 *
 * @returns "bit 44" for a bit without a name, which {@link featureBit} reads back
 */
export function featureName(bit: number, type?: DeviceType): string {
  return rowOf(bit, type)?.[1] ?? `bit ${bit}`;
}

/** The name of a bit with its number, for messages: "RING_PACKED (34)". */
export function nameAndBit(bit: number, type?: DeviceType): string {
  const row = rowOf(bit, type);
  return row === undefined ? `bit ${bit}` : `${row[1]} (${bit})`;
}

/** The name of a bit with the specification's prefix: "VIRTIO_F_RING_PACKED", "VIRTIO_NET_F_MTU". */
export function fullFeatureName(bit: number, type?: DeviceType): string {
  const row = rowOf(bit, type);
  if (row === undefined) return `bit ${bit}`;
  return RESERVED_FEATURES.includes(row) || type === undefined
    ? RESERVED_PREFIX + row[1]
    : FEATURES[type].prefix + row[1];
}

/**
 * Whether a modern driver and device may use the bit at all (§2.2.1, §2.2.2): it is documented, not of the legacy
 * interface alone, and the transport can carry it. Of an unknown device type every device-type bit counts.
 *
 * @param transport "pci", "mmio", "ccw" or "loopback"; absent: any
 */
export function isUsable(bit: number, type?: DeviceType, transport?: string): boolean {
  const row = rowOf(bit, type);
  if (row === undefined) return type === undefined && bit !== 41 && bit !== 42 && isDeviceTypeBit(bit);
  const rule = row[2];
  if (rule?.legacy) return false;
  return transport === undefined || rule?.only === undefined || rule.only.includes(transport);
}

/** The table's row of a bit; a modern meaning goes before a legacy one (bit 41: §5.1.3.2). */
export function rowOf(bit: number, type?: DeviceType): FeatureRow | undefined {
  const rows = [...RESERVED_FEATURES, ...featureRows(type)].filter((row) => row[0] === bit);
  return rows.find((row) => !row[2]?.legacy) ?? rows[0];
}

function checkedBit(bit: number): number {
  if (Number.isInteger(bit) && bit >= 0 && bit < FEATURE_BITS) return bit;
  throw new VirtioError("BAD_ARGUMENT", `feature bit ${bit} is not within 0…${FEATURE_BITS - 1}`, {
    section: "2.2",
  });
}

const nameTables = new Map<DeviceType | undefined, ReadonlyMap<string, number>>();

/** Every spelling that counts for a device type; short names of the type win over nothing, as none is shared. */
function namesFor(type: DeviceType | undefined): ReadonlyMap<string, number> {
  let table = nameTables.get(type);
  if (table === undefined) {
    const names = new Map<string, number>();
    for (const [bit, name] of featureRows(type)) names.set(name, bit);
    for (const [bit, name] of RESERVED_FEATURES) names.set(name, bit).set(RESERVED_PREFIX + name, bit);
    for (const { prefix, rows } of Object.values(FEATURES)) {
      for (const [bit, name] of rows) names.set(prefix + name, bit);
    }
    table = names;
    nameTables.set(type, table);
  }
  return table;
}
