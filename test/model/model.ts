/**
 * The reference rings: slow, obvious, and sharing nothing with the WebAssembly core but the numbers of src/spec. They run on
 * any byte array that plays guest memory.
 */
import { setUpError } from "./areas";
import { PackedDevice } from "./packed-device";
import { PackedDriver } from "./packed-driver";
import type { MakeRings } from "./ring";
import { SplitDevice } from "./split-device";
import { SplitDriver } from "./split-driver";

/** Both halves of a reference ring. @throws Error named by the result code when the set-up is not allowed (§2.7, §2.8) */
export const makeModelRings: MakeRings = (options) => {
  const error = setUpError(options);
  if (error !== undefined) {
    throw new Error(error);
  }
  return options.layout === "split"
    ? { driver: new SplitDriver(options), device: new SplitDevice(options) }
    : { driver: new PackedDriver(options), device: new PackedDevice(options) };
};
