/** How far a long run is, on stderr, and only when a person is looking at it. */

const AFTER_MS = 500;
const EVERY_MS = 100;

/** One line that is written over and over, and wiped at the end. */
export class Progress {
  private readonly stream: NodeJS.WriteStream;
  private readonly from = performance.now();
  private last = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.stream = stream;
  }

  /** Says that `done` of `total` is done; quick runs and pipes never see it. */
  report(what: string, done: number, total: number): void {
    const now = performance.now();
    if (!this.stream.isTTY || now - this.from < AFTER_MS || now - this.last < EVERY_MS) return;
    this.last = now;
    const percent = total > 0 ? Math.floor((100 * done) / total) : 0;
    this.stream.write(`\r\u001b[K${what}: ${percent} %`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.last > 0) this.stream.write("\r\u001b[K");
    this.last = 0;
  }
}
