// Several verbs in one crossing, for either layout: a device's round, and a whole trip through a ring whose device
// lives in WASM. They call what the host would call, in the same order, so every check and result is the verbs' own.
import { EXCHANGE_NOTIFY, EXCHANGE_REFUSED, LAYOUT_PACKED, LAYOUT_SPLIT } from "./abi";
import { deviceState } from "./device-state";
import { add as packedAdd } from "./packed/add";
import { completeFlat as packedCompleteFlat } from "./packed/complete";
import { publish as packedDevicePublish } from "./packed/device";
import { publish as packedPublish } from "./packed/driver";
import { takeUsed as packedTakeUsed } from "./packed/reclaim";
import { run as packedRun } from "./packed/run";
import { takeFlat as packedTakeFlat } from "./packed/take";
import { layout, refusal } from "./queue-state";
import { add as splitAdd } from "./split/add";
import { completeFlat as splitCompleteFlat } from "./split/complete";
import { publish as splitDevicePublish } from "./split/device";
import { publish as splitPublish } from "./split/driver";
import { takeUsed as splitTakeUsed } from "./split/reclaim";
import { run as splitRun } from "./split/run";
import { takeFlat as splitTakeFlat } from "./split/take";

/**
 * A device's round on the flat list: uses its first `count` chains, shows what was used, and takes up to `max` chains
 * into the list anew.
 *
 * @returns the chains taken, plus EXCHANGE_NOTIFY: send a used buffer notification; with it and no chain, `take` says
 *   whether the driver did something wrong. Negative: why nothing could be taken. With EXCHANGE_REFUSED: how many were
 *   completed before one was refused; nothing was shown or taken.
 */
export function deviceExchange(q: usize, count: u32, max: u32): i32 {
  const packed = deviceState(q) == LAYOUT_PACKED;
  if (!packed && deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  if (count) {
    const completed = packed ? packedCompleteFlat(q, count) : splitCompleteFlat(q, count);
    if (completed < <i32>count) return EXCHANGE_REFUSED | (completed < 0 ? 0 : completed);
  }
  const notify = packed ? packedDevicePublish(q) : splitDevicePublish(q);
  if (notify < 0) return notify;
  const taken = !max ? 0 : packed ? packedTakeFlat(q, max) : splitTakeFlat(q, max);
  if (!notify) return taken;
  return EXCHANGE_NOTIFY + (taken > 0 ? taken : 0);
}

/**
 * A whole trip: adds `chains` submissions to `driver`, lets the device `kind` inside WASM serve them on `device`, and
 * takes them back. Both halves of one ring; they may be one struct. Who calls this waits for no notification.
 *
 * @returns the used buffers; or the first error, the driver's half first
 */
export function queueRoundTrip(driver: usize, device: usize, kind: u32, chains: u32): i32 {
  return layout(driver) == LAYOUT_PACKED
    ? packedTrip(driver, device, kind, chains)
    : splitTrip(driver, device, kind, chains);
}

function splitTrip(driver: usize, device: usize, kind: u32, chains: u32): i32 {
  const added = splitAdd(driver, chains);
  if (added <= 0) return added;
  const shown = splitPublish(driver);
  if (shown < 0) return shown;
  const served = splitRun(device, kind, added);
  if (served < 0) return served;
  const used = splitDevicePublish(device);
  if (used < 0) return used;
  return splitTakeUsed(driver, chains);
}

function packedTrip(driver: usize, device: usize, kind: u32, chains: u32): i32 {
  const added = packedAdd(driver, chains);
  if (added <= 0) return added;
  const shown = packedPublish(driver);
  if (shown < 0) return shown;
  const served = packedRun(device, kind, added);
  if (served < 0) return served;
  const used = packedDevicePublish(device);
  if (used < 0) return used;
  return packedTakeUsed(driver, chains);
}
