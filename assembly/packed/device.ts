// What the device half of a packed virtqueue shows to the driver: used descriptors (§2.8.6), and whether it wants
// notifications (§2.8.10).
import {
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
} from "../../src/spec/packed";
import { BUFFER_TOO_SHORT } from "../../src/spec/result";
import { LAYOUT_PACKED } from "../abi";
import {
  deviceAvail,
  deviceAvailWrap,
  deviceBatchCount,
  deviceState,
  devicePending,
  devicePendingFlags,
  devicePendingSlot,
  deviceUsed,
  deviceUsedWrap,
  setDevicePending,
} from "../device-state";
import { packedNeedEvent } from "../event";
import { desc, deviceArea, driverArea, hasEventIdx, refusal, size } from "../queue-state";
import { deviceLogReserve, deviceTouched } from "../touched";
import { closeBatch } from "./complete";
import { descAt, descFlags, eventSnapshot, setDescFlags, setEvent, setEventFlags } from "./layout";
import { isAvailable, offWrap } from "./position";

/** Shows what was used to the driver by storing the first used descriptor's flags; 1: it wants a notification. */
export function publish(q: usize): i32 {
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  if (deviceBatchCount(q)) closeBatch(q);
  const pending = devicePending(q);
  if (!pending) return 0;
  // Barrier C (pairs with takeUsed in reclaim.ts): ID and length before the flags.
  const first = descAt(desc(q), devicePendingSlot(q));
  setDescFlags(first, devicePendingFlags(q));
  deviceTouched(q, first + 14, 2);
  setDevicePending(q, 0);
  // Barrier D (pairs with arm in driver.ts): the flags before the suppression check.
  const event = eventSnapshot(driverArea(q));
  return packedNeedEvent(event, hasEventIdx(q), size(q), deviceUsed(q), deviceUsedWrap(q), pending) ? 1 : 0;
}

/** Asks for an available buffer notification with the next list (§2.8.10); 1: look again, one is there already. */
export function arm(q: usize): i32 {
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  const area = deviceArea(q);
  if (hasEventIdx(q)) {
    setEvent(area, offWrap(deviceAvail(q), deviceAvailWrap(q)), RING_EVENT_FLAGS_DESC);
    deviceTouched(q, area, 4);
  } else {
    setEventFlags(area, RING_EVENT_FLAGS_ENABLE);
    deviceTouched(q, area + 2, 2);
  }
  // Barrier B (pairs with publish in driver.ts): armed before the second look.
  return hasAvailable(q);
}

/** Asks for no available buffer notifications. */
export function disarm(q: usize): i32 {
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  setEventFlags(deviceArea(q), RING_EVENT_FLAGS_DISABLE);
  deviceTouched(q, deviceArea(q) + 2, 2);
  return 0;
}

/** 1: the driver has made something available that was not taken yet. */
export function hasAvailable(q: usize): i32 {
  if (deviceState(q) != LAYOUT_PACKED) return 0;
  return isAvailable(descFlags(descAt(desc(q), deviceAvail(q))), deviceAvailWrap(q)) ? 1 : 0;
}
