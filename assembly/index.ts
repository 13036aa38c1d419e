// The complete list of the core's exports. Every parameter and result is 32 bits wide; `q` is the linear address
// of a queue struct (queue-state.ts), records are drawn in batch.ts, negative results are src/spec/result.ts.
export { driverReset, deviceReset, queueSetTables, queueSetUp, queueTearDown } from "./set-up";
export { add as splitDriverAdd } from "./split/add";
export {
  arm as splitDriverArm,
  disarm as splitDriverDisarm,
  hasUsed as splitDriverHasUsed,
  publish as splitDriverPublish,
} from "./split/driver";
export { takeUsed as splitDriverTakeUsed } from "./split/reclaim";
export {
  complete as splitDeviceComplete,
  completeBatch as splitDeviceCompleteBatch,
  completeFlat as splitDeviceCompleteFlat,
  undo as splitDeviceUndo,
} from "./split/complete";
export {
  arm as splitDeviceArm,
  disarm as splitDeviceDisarm,
  hasAvailable as splitDeviceHasAvailable,
  publish as splitDevicePublish,
} from "./split/device";
export { take as splitDeviceTake, takeFlat as splitDeviceTakeFlat } from "./split/take";
export { run as splitDeviceRun } from "./split/run";
export { add as packedDriverAdd } from "./packed/add";
export {
  arm as packedDriverArm,
  disarm as packedDriverDisarm,
  hasUsed as packedDriverHasUsed,
  publish as packedDriverPublish,
} from "./packed/driver";
export { takeUsed as packedDriverTakeUsed } from "./packed/reclaim";
export {
  complete as packedDeviceComplete,
  completeBatch as packedDeviceCompleteBatch,
  completeFlat as packedDeviceCompleteFlat,
  undo as packedDeviceUndo,
} from "./packed/complete";
export {
  arm as packedDeviceArm,
  disarm as packedDeviceDisarm,
  hasAvailable as packedDeviceHasAvailable,
  publish as packedDevicePublish,
} from "./packed/device";
export { take as packedDeviceTake, takeFlat as packedDeviceTakeFlat } from "./packed/take";
export { run as packedDeviceRun } from "./packed/run";
export { flatTally as deviceFlatTally } from "./flat";
export { deviceExchange, queueRoundTrip } from "./fused";
