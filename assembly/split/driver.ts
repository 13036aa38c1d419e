// The driver half of a split virtqueue shows the device what add.ts added, and says when it wants to hear of used buffers
// (§2.7.13.3, §2.7.13.4, §2.7.7, §2.7.14).
import { BAD_ARGUMENT, BUFFER_TOO_SHORT } from "../../src/spec/result";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
import { FEATURE_EVENT_IDX, FEATURE_NOTIFICATION_DATA, LAYOUT_SPLIT, OPTION_LOG } from "../abi";
import {
  driverAvail,
  driverBatchEnd,
  driverState,
  driverShown,
  driverUsed,
  setDriverKickValue,
  setDriverShown,
} from "../driver-state";
import { needEvent } from "../event";
import {
  blame,
  deviceArea,
  driverArea,
  features,
  hasEventIdx,
  notifyId,
  refusal,
  size,
} from "../queue-state";
import { driverLogReserve, driverTouched } from "../touched";
import {
  availEvent,
  setAvailFlags,
  setAvailIdx,
  setUsedEvent,
  usedEventAt,
  usedFlags,
  usedIdx,
} from "./layout";

/** Shows what was added to the device (§2.7.13); 1: the device wants a notification. */
export function publish(q: usize): i32 {
  if (driverState(q) != LAYOUT_SPLIT) return refusal(driverState(q));
  const next = driverAvail(q);
  const old = driverShown(q);
  const bits = features(q);
  // §2.9: with NOTIFICATION_DATA all 16 bits of the index, else the queue alone, as set-up left it.
  if (bits & FEATURE_NOTIFICATION_DATA) setDriverKickValue(q, notifyId(q) | (next << 16));
  if (next == old) return 0;
  const logged = (bits & OPTION_LOG) != 0;
  if (logged) {
    if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  }
  // Barrier A (pairs with take in take.ts): entries before the index, §2.7.13.3.1.
  setAvailIdx(driverArea(q), next);
  if (logged) driverTouched(q, driverArea(q) + 2, 2);
  setDriverShown(q, next);
  // Barrier B (pairs with arm in device.ts): the index before the suppression check, §2.7.13.4.1.
  if (!(bits & FEATURE_EVENT_IDX)) return usedFlags(deviceArea(q)) & VIRTQ_USED_F_NO_NOTIFY ? 0 : 1;
  return needEvent(availEvent(deviceArea(q), size(q)), next, old) ? 1 : 0;
}

/** Asks for a used buffer notification after `ahead` more buffers (§2.7.7); 1: look again, something is used already. */
export function arm(q: usize, ahead: u32): i32 {
  if (driverState(q) != LAYOUT_SPLIT) return refusal(driverState(q));
  if (ahead > size(q)) return blame(q, BAD_ARGUMENT, ahead, size(q));
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  const area = driverArea(q);
  const used = driverUsed(q);
  if (hasEventIdx(q)) {
    setUsedEvent(area, size(q), (used + ahead) & 0xffff);
    driverTouched(q, usedEventAt(area, size(q)), 2);
  } else {
    setAvailFlags(area, 0);
    driverTouched(q, area, 2);
  }
  // Barrier D (pairs with publish in device.ts): armed before the second look, §2.7.14.
  return driverBatchEnd(q) || usedIdx(deviceArea(q)) != used ? 1 : 0;
}

/** Asks for no used buffer notifications. With EVENT_IDX flags stay 0 (§2.7.7.1): a passed used_event is silent. */
export function disarm(q: usize): i32 {
  if (driverState(q) != LAYOUT_SPLIT) return refusal(driverState(q));
  if (hasEventIdx(q)) return 0;
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  setAvailFlags(driverArea(q), VIRTQ_AVAIL_F_NO_INTERRUPT);
  driverTouched(q, driverArea(q), 2);
  return 0;
}

/** 1: the device has used something that was not taken yet. */
export function hasUsed(q: usize): i32 {
  if (driverState(q) != LAYOUT_SPLIT) return 0;
  return driverBatchEnd(q) || usedIdx(deviceArea(q)) != driverUsed(q) ? 1 : 0;
}
