/** What a network device counts; a driver never sees it. */

/** What became of the frames since the model was made. */
export interface NetCounters {
  /** Transmitted frames that the wire took. */
  transmitted: number;
  /** Transmitted frames that were lost: no wire, a wire that failed, or the link was down. */
  lost: number;
  /** Transmitted chains that hold no frame, or one that the negotiated set doesn't allow. */
  malformed: number;
  /** Frames that the driver got. */
  received: number;
  /** Frames for the driver that it can't take: too long for the MTU or the buffer, or in need of an offload. */
  unfit: number;
  /** Frames for the driver that were lost: not started, the link down, the backlog full, or a reset. */
  missed: number;
  /** Receive buffers that don't hold a header: given back empty. */
  tooShort: number;
}

/** Counters before the first frame. */
export function zeroCounters(): NetCounters {
  return { transmitted: 0, lost: 0, malformed: 0, received: 0, unfit: 0, missed: 0, tooShort: 0 };
}
