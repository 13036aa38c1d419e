// The driver half of a packed virtqueue shows the device what add.ts added, and says when it wants to hear of used
// buffers (§2.8.17, §2.8.18, §2.8.10).
import {
  PACKED_DESC_FLAGS,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
} from "../../src/spec/packed";
import { BAD_ARGUMENT, BUFFER_TOO_SHORT } from "../../src/spec/result";
import { FEATURE_EVENT_IDX, FEATURE_NOTIFICATION_DATA, LAYOUT_PACKED, OPTION_LOG } from "../abi";
import {
  driverAvail,
  driverAvailWrap,
  driverBatchEnd,
  driverState,
  driverPending,
  driverPendingFlags,
  driverPendingSlot,
  driverUsed,
  driverUsedWrap,
  setDriverKickValue,
  setDriverPending,
} from "../driver-state";
import { packedNeedEvent } from "../event";
import {
  blame,
  desc,
  deviceArea,
  driverArea,
  features,
  hasEventIdx,
  refusal,
  notifyId,
  size,
} from "../queue-state";
import { driverLogReserve, driverTouched } from "../touched";
import { descAt, descFlags, eventSnapshot, setDescFlags, setEvent, setEventFlags } from "./layout";
import { advanceSlot, advanceWrap, isUsed, offWrap } from "./position";

/** Shows what was added to the device by storing the first head's flags (§2.8.17); 1: it wants a notification. */
export function publish(q: usize): i32 {
  if (driverState(q) != LAYOUT_PACKED) return refusal(driverState(q));
  const pending = driverPending(q);
  const slot = driverAvail(q);
  const wrap = driverAvailWrap(q);
  const bits = features(q);
  // §2.9: with NOTIFICATION_DATA the next slot and its wrap counter, else the queue alone, as set-up left it.
  if (bits & FEATURE_NOTIFICATION_DATA) setDriverKickValue(q, notifyId(q) | (offWrap(slot, wrap) << 16));
  if (!pending) return 0;
  const logged = (bits & OPTION_LOG) != 0;
  if (logged) {
    if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  }
  // Barrier A (pairs with take in take.ts): the list before its head's flags, §2.8.17.
  const head = descAt(desc(q), driverPendingSlot(q));
  setDescFlags(head, driverPendingFlags(q));
  if (logged) driverTouched(q, head + PACKED_DESC_FLAGS, 2);
  setDriverPending(q, 0);
  // Barrier B (pairs with arm in device.ts): the flags before the suppression check, §2.8.17.
  return packedNeedEvent(
    eventSnapshot(deviceArea(q)),
    (bits & FEATURE_EVENT_IDX) != 0,
    size(q),
    slot,
    wrap,
    pending,
  )
    ? 1
    : 0;
}

/**
 * Asks for a used buffer notification (§2.8.10), with EVENT_IDX for the slot `ahead` descriptors further on.
 *
 * @returns 1: look again, the next slot is used already
 */
export function arm(q: usize, ahead: u32): i32 {
  if (driverState(q) != LAYOUT_PACKED) return refusal(driverState(q));
  const n = size(q);
  if (ahead > n) return blame(q, BAD_ARGUMENT, ahead, n);
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  const slot = driverUsed(q);
  const wrap = driverUsedWrap(q);
  const area = driverArea(q);
  if (hasEventIdx(q)) {
    setEvent(
      area,
      offWrap(advanceSlot(slot, ahead, n), advanceWrap(slot, wrap, ahead, n)),
      RING_EVENT_FLAGS_DESC,
    );
    driverTouched(q, area, 4);
  } else {
    setEventFlags(area, RING_EVENT_FLAGS_ENABLE);
    driverTouched(q, area + 2, 2);
  }
  // Barrier D (pairs with publish in device.ts): armed before the second look.
  return driverBatchEnd(q) || isUsed(descFlags(descAt(desc(q), slot)), wrap) ? 1 : 0;
}

/** Asks for no used buffer notifications. */
export function disarm(q: usize): i32 {
  if (driverState(q) != LAYOUT_PACKED) return refusal(driverState(q));
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  setEventFlags(driverArea(q), RING_EVENT_FLAGS_DISABLE);
  driverTouched(q, driverArea(q) + 2, 2);
  return 0;
}

/** 1: the device has used something that was not taken yet. */
export function hasUsed(q: usize): i32 {
  if (driverState(q) != LAYOUT_PACKED) return 0;
  return driverBatchEnd(q) || isUsed(descFlags(descAt(desc(q), driverUsed(q))), driverUsedWrap(q)) ? 1 : 0;
}
