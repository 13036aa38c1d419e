// Which lists of a packed virtqueue are with the device: what counts them when they are taken and used, and how many more
// there can be (§2.8.6). Shadows of other lists are linked to each other, or follow each other with IN_ORDER.
import {
  deviceBatchCount,
  deviceFreeHead,
  deviceInFlight,
  deviceInFlightDescriptors,
  devicePending,
  deviceTaken,
  setDeviceAvail,
  setDeviceAvailWrap,
  setDeviceFreeHead,
  setDeviceInFlight,
  setDeviceInFlightDescriptors,
  setDeviceTaken,
} from "../device-state";
import { isInOrder, size } from "../queue-state";
import { release, shadowCount } from "../shadow";

/** Descriptors that the driver can have made available: all but those in flight, or used and not yet shown to it. */
@inline
export function roomLeft(q: usize): u32 {
  return size(q) - deviceInFlightDescriptors(q) - devicePending(q) - deviceBatchCount(q);
}

/** The state after `count` more lists of `descriptors` in all were taken: the next free shadow and available position. */
@inline
export function holdTaken(q: usize, free: u32, slot: u32, wrap: u32, count: u32, descriptors: u32): void {
  setDeviceFreeHead(q, free);
  setDeviceAvail(q, slot);
  setDeviceAvailWrap(q, wrap);
  setDeviceTaken(q, (deviceTaken(q) + count) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + count);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) + descriptors);
}

/** Takes a chain out of flight and its slot back into the free list. */
export function drop(q: usize, slot: u32, entry: usize): void {
  setDeviceInFlight(q, deviceInFlight(q) - 1);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) - shadowCount(entry));
  if (isInOrder(q)) {
    release(entry, 0);
    return;
  }
  release(entry, deviceFreeHead(q));
  setDeviceFreeHead(q, slot);
}
