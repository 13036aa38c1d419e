/**
 * A Promise-returning backend around another one: requests wait here and finish in the order that the caller picks,
 * which is how a test or a simulation tries every order of completion without a clock.
 */
import type { BlkBackend, GuestBytes } from "./backend";

interface Waiting {
  readonly work: () => void | Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Holds every request back until `settle` lets it go. */
export class DeferredBackend implements BlkBackend {
  private readonly inner: BlkBackend;
  private readonly waiting: Waiting[] = [];

  /** @param inner where the bytes are */
  constructor(inner: BlkBackend) {
    this.inner = inner;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  /** How many requests wait. */
  get pending(): number {
    return this.waiting.length;
  }

  read(sector: number, target: GuestBytes): Promise<void> {
    return this.hold(() => this.inner.read(sector, target));
  }

  write(sector: number, source: GuestBytes): Promise<void> {
    return this.hold(() => this.inner.write(sector, source));
  }

  flush(): Promise<void> {
    return this.hold(() => this.inner.flush());
  }

  /**
   * Does one waiting request and settles its Promise; the device hears of it in a later microtask.
   *
   * @param index which one, 0 (the oldest) … `pending` - 1; outside of that nothing happens
   * @param error fails the request with this instead of doing it
   */
  async settle(index = 0, error?: Error): Promise<void> {
    const [request] = this.waiting.splice(index, 1);
    if (!request) return;
    try {
      if (error) throw error;
      await request.work();
      request.resolve();
    } catch (reason) {
      request.reject(reason);
    }
  }

  /**
   * Settles all that wait, and what comes meanwhile.
   *
   * @param pick chooses the next one: an index below the number that it is given; the newest first if left out
   */
  async settleAll(pick: (pending: number) => number = (pending) => pending - 1): Promise<void> {
    while (this.waiting.length > 0) await this.settle(pick(this.waiting.length));
  }

  private hold(work: () => void | Promise<void>): Promise<void> {
    return new Promise<void>((resolve, reject) => this.waiting.push({ work, resolve, reject }));
  }
}
