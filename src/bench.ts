/** `virtq/bench`: the protocol of a ring of one's own, for `virtq bench --ring`. */
export {
  checksum,
  expectedChecksum,
  NotMeasured,
  type Ring,
  type RingAdapter,
  type Sample,
  type Shape,
  seenOf,
  type Work,
  type Workload,
} from "../bench/ring";
