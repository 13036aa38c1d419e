/** The deeds of a driver, so that rules can speak of them instead of registers (§3.1). Status accesses are no acts. */

/** A deed of a driver that is right at some times and wrong at others. */
export type Act =
  /** Reads a register other than the status, without any consequence. */
  | "look"
  /** Writes a feature word while the set is open. */
  | "accept"
  /** Writes a feature word after FEATURES_OK, with bits that the frozen set lacks. */
  | "accept-more"
  /** Writes a feature word after FEATURES_OK that only leaves bits out. */
  | "accept-less"
  | "write-config"
  /** Asks for the size of a queue: queue discovery. */
  | "find-queue"
  | "enable-queue"
  | "stop-queue"
  | "reset-queue"
  | "notify";
