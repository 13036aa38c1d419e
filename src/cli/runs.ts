/** Which negotiations `virtq sim` tries: the three that show what layout means, or the one that the user describes. */
import type { NegotiationOptions } from "../sim/session";
import type { SimArguments } from "./sim-arguments";

/** Without --offer and --accept the device offers everything, and what the driver accepts decides. */
const SPLIT = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX"];
const PACKED = [...SPLIT, "RING_PACKED"];
const IN_ORDER = [...PACKED, "IN_ORDER"];

/** The options of each run. */
export function negotiations(given: SimArguments): NegotiationOptions[] {
  const { offer, accept, deviceProfile, driverProfile, queueSize, indirect } = given;
  const common: NegotiationOptions = {
    indirect,
    ...(offer === undefined ? {} : { offer }),
    ...(accept === undefined ? {} : { accept }),
    ...(deviceProfile === undefined ? {} : { deviceProfile }),
    ...(driverProfile === undefined ? {} : { driverProfile }),
    ...(queueSize === undefined ? {} : { queueSize }),
  };
  if (offer !== undefined || accept !== undefined) return [common];
  return [SPLIT, PACKED, IN_ORDER].map((names) => ({ ...common, accept: names }));
}
