// What the device half of a split virtqueue shows to the driver: used elements (§2.7.8), and whether it wants
// notifications (§2.7.10).
import { BUFFER_TOO_SHORT } from "../../src/spec/result";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY, VIRTQ_USED_IDX } from "../../src/spec/split";
import { FEATURE_EVENT_IDX, FEATURE_NOTIFY_ON_EMPTY, LAYOUT_SPLIT, OPTION_LOG } from "../abi";
import {
  deviceAvail,
  deviceBatchCount,
  deviceState,
  deviceInFlight,
  deviceShown,
  setDeviceShown,
  deviceUsed,
} from "../device-state";
import { needEvent } from "../event";
import { deviceArea, driverArea, features, hasEventIdx, refusal, size } from "../queue-state";
import { deviceLogReserve, deviceTouched } from "../touched";
import { closeBatch } from "./complete";
import {
  availEventAt,
  availFlags,
  availIdx,
  setAvailEvent,
  setUsedFlags,
  setUsedIdx,
  usedEvent,
} from "./layout";

/** Shows what was used to the driver (§2.7.8.2); 1: it wants a used buffer notification. */
export function publish(q: usize): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  const bits = features(q);
  const logged = (bits & OPTION_LOG) != 0;
  if (logged) {
    if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  }
  if (deviceBatchCount(q)) closeBatch(q);
  const next = deviceUsed(q);
  const old = deviceShown(q);
  if (next == old) return 0;
  // Barrier C (pairs with takeUsed in reclaim.ts): elements before the index, §2.7.8.2.
  setUsedIdx(deviceArea(q), next);
  if (logged) deviceTouched(q, deviceArea(q) + VIRTQ_USED_IDX, 2);
  setDeviceShown(q, next);
  // Barrier D (pairs with arm in driver.ts): the index before the suppression check.
  if (bits & FEATURE_NOTIFY_ON_EMPTY && isDrained(q)) return 1; // §6.3: overrides suppression
  if (!(bits & FEATURE_EVENT_IDX)) return availFlags(driverArea(q)) & VIRTQ_AVAIL_F_NO_INTERRUPT ? 0 : 1;
  return needEvent(usedEvent(driverArea(q), size(q)), next, old) ? 1 : 0;
}

function isDrained(q: usize): bool {
  return !deviceInFlight(q) && availIdx(driverArea(q)) == deviceAvail(q);
}

/** Asks for an available buffer notification with the next chain (§2.7.10); 1: look again, one is there already. */
export function arm(q: usize): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  const area = deviceArea(q);
  if (hasEventIdx(q)) {
    setAvailEvent(area, size(q), deviceAvail(q));
    deviceTouched(q, availEventAt(area, size(q)), 2);
  } else {
    setUsedFlags(area, 0);
    deviceTouched(q, area, 2);
  }
  // Barrier B (pairs with publish in driver.ts): armed before the second look.
  return availIdx(driverArea(q)) != deviceAvail(q) ? 1 : 0;
}

/** Asks for no available buffer notifications. With EVENT_IDX flags stay 0: a passed avail_event is silent. */
export function disarm(q: usize): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  if (hasEventIdx(q)) return 0;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  setUsedFlags(deviceArea(q), VIRTQ_USED_F_NO_NOTIFY);
  deviceTouched(q, deviceArea(q), 2);
  return 0;
}

/** 1: the driver has made something available that was not taken yet. */
export function hasAvailable(q: usize): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return 0;
  return availIdx(driverArea(q)) != deviceAvail(q) ? 1 : 0;
}
