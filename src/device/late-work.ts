/**
 * Backends that answer by Promise: how many are on their way, and what becomes of an answer that comes too late.
 */

/** The Promises of one device that have not settled. */
export class LateWork {
  private pending = 0;
  private waiting: (() => void)[] = [];

  /**
   * Follows a Promise.
   *
   * @param isWanted asked when it settles; if false the answer is dropped
   */
  follow<T>(
    work: Promise<T>,
    isWanted: () => boolean,
    then: (result: T) => void,
    failed: (reason: unknown) => void,
  ): void {
    this.pending++;
    work.then(
      (result) => this.settle(isWanted, () => then(result)),
      (reason: unknown) => this.settle(isWanted, () => failed(reason)),
    );
  }

  /** Settles when nothing is pending any more, dropped work included. */
  async idle(): Promise<void> {
    while (this.pending > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private settle(isWanted: () => boolean, answer: () => void): void {
    this.pending--;
    try {
      if (isWanted()) answer();
    } finally {
      if (this.pending === 0) {
        for (const resolve of this.waiting.splice(0)) resolve();
      }
    }
  }
}
