/**
 * Notifications to the driver, one at a time and never from within a register write or another notification (§2.3).
 * What is raised while the device is busy waits for the end of that, one for each queue and one for the configuration.
 */

/** A used buffer notification of a queue, or a configuration change notification (§2.3). */
export type InterruptKind = "used" | "config";

/** Takes notifications; `queue` is given for "used". It may do anything, the device's registers included. */
export type InterruptHandler = (kind: InterruptKind, queue?: number) => void;

/** The notifications of one device that the driver has not been told of yet. */
export class Interrupts {
  handler: InterruptHandler | undefined;
  /** Hears of each notification right before the handler does. */
  onDeliver: InterruptHandler | undefined;
  /** A change notification waits for DRIVER_OK: false until the device is live (§2.1.2, §3.2). */
  configEnabled = false;
  private readonly used: boolean[];
  private config = false;
  private anyUsed = false;
  private holds = 0;

  constructor(queues: number) {
    this.used = new Array<boolean>(queues).fill(false);
  }

  /** True while a handler runs or the device is busy. */
  get held(): boolean {
    return this.holds > 0;
  }

  /** Whether a change notification waits for its time. */
  get configWaits(): boolean {
    return this.config;
  }

  raiseUsed(queue: number): void {
    this.used[queue] = true;
    this.anyUsed = true;
    if (this.holds === 0) this.deliver();
  }

  raiseConfig(): void {
    this.config = true;
    if (this.holds === 0) this.deliver();
  }

  /** Keeps notifications back until the matching {@link release}. */
  hold(): void {
    this.holds++;
  }

  release(): void {
    try {
      if (this.holds === 1) this.deliver();
    } finally {
      this.holds--;
    }
  }

  /** Forgets what waits: after a reset nothing is sent (§2.4.1). */
  clear(): void {
    this.used.fill(false);
    this.anyUsed = false;
    this.config = false;
    this.configEnabled = false;
  }

  private deliver(): void {
    this.holds++;
    try {
      for (;;) {
        if (this.anyUsed) this.deliverUsed();
        else if (this.config && this.configEnabled) {
          this.config = false;
          this.onDeliver?.("config");
          this.handler?.("config");
        } else return;
      }
    } finally {
      this.holds--;
    }
  }

  private deliverUsed(): void {
    this.anyUsed = false;
    for (let queue = 0; queue < this.used.length; queue++) {
      if (!this.used[queue]) continue;
      this.used[queue] = false;
      this.onDeliver?.("used", queue);
      this.handler?.("used", queue);
    }
  }
}
