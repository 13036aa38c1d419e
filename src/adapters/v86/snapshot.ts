/**
 * What v86's snapshots carry of attached devices: one text behind v86's own parts, which v86 keeps as it is. It holds the
 * image of each function, by name.
 */

import { readSealed, sealed } from "../../device/image-seal";
import { anything, invalid, listOf, oneOf, record, text, whole } from "../../device/image-shape";
import type { AttachedDevice, DeviceRecord } from "./attached-device";

const SCHEMA = "virtq.v86/1";

interface SnapshotImage {
  readonly schema: typeof SCHEMA;
  readonly devices: readonly DeviceRecord[];
  readonly checksum: number;
}

const IMAGE = record<SnapshotImage>({
  schema: oneOf(SCHEMA),
  devices: listOf(record<DeviceRecord>({ name: text, slot: whole(31), pci: anything })),
  checksum: whole(0xffff_ffff),
});

/** The devices as text. @throws VirtioError DEVICE_BUSY naming the device that can't be saved now */
export function snapshotText(devices: readonly AttachedDevice[]): string {
  return JSON.stringify(sealed({ schema: SCHEMA, devices: devices.map((device) => device.save()) }));
}

/** A device and its part of a snapshot. */
export interface Restored {
  readonly device: AttachedDevice;
  readonly record: DeviceRecord;
}

/**
 * The records of these devices in a state of v86's.
 *
 * @throws VirtioError SNAPSHOT_INVALID naming what is missing, damaged or too much
 */
export function readSnapshot(state: readonly unknown[], devices: readonly AttachedDevice[]): Restored[] {
  const names = devices.map(({ name }) => name);
  const found = state.findLast((part) => typeof part === "string" && part.includes(SCHEMA));
  if (found === undefined) invalid(`the snapshot was made without ${names.join(", ")}`);
  const { devices: records } = readSealed(found, SCHEMA, IMAGE);
  const extra = records.filter(({ name }) => !names.includes(name));
  if (extra.length > 0)
    invalid(`the snapshot has ${extra.map(({ name }) => name).join(", ")}, attached are ${names.join(", ")}`);
  return devices.map((device) => {
    const { name, slot } = device;
    const own = records.find((one) => one.name === name);
    if (own === undefined) return invalid(`the snapshot was made without ${name}`);
    if (own.slot !== slot)
      return invalid(`${name}: PCI device number ${own.slot} in the snapshot, here ${slot}`);
    return { device, record: own };
  });
}
