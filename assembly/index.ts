// The complete list of the core's exports. Every parameter and result is 32 bits wide; `q` is the linear address
// of a queue struct (queue-state.ts), records are drawn in batch.ts, negative results are src/spec/result.ts.
export { driverReset, deviceReset, queueSetTables, queueSetUp, queueTearDown } from "./set-up";
export {
  add as splitDriverAdd,
  arm as splitDriverArm,
  disarm as splitDriverDisarm,
  hasUsed as splitDriverHasUsed,
  publish as splitDriverPublish,
  takeUsed as splitDriverTakeUsed,
} from "./split/driver";
export {
  arm as splitDeviceArm,
  complete as splitDeviceComplete,
  completeBatch as splitDeviceCompleteBatch,
  disarm as splitDeviceDisarm,
  hasAvailable as splitDeviceHasAvailable,
  publish as splitDevicePublish,
  take as splitDeviceTake,
  undo as splitDeviceUndo,
} from "./split/device";
export {
  add as packedDriverAdd,
  arm as packedDriverArm,
  disarm as packedDriverDisarm,
  hasUsed as packedDriverHasUsed,
  publish as packedDriverPublish,
  takeUsed as packedDriverTakeUsed,
} from "./packed/driver";
export {
  arm as packedDeviceArm,
  complete as packedDeviceComplete,
  completeBatch as packedDeviceCompleteBatch,
  disarm as packedDeviceDisarm,
  hasAvailable as packedDeviceHasAvailable,
  publish as packedDevicePublish,
  take as packedDeviceTake,
  undo as packedDeviceUndo,
} from "./packed/device";
export { packedRun as packedDeviceRun, splitRun as splitDeviceRun } from "./backend";
