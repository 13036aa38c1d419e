/** The monotonic clock, in Node and in a browser. */

/** Nanoseconds since some moment; in a browser as coarse as the page's isolation makes it. */
export function now(): number {
  return performance.now() * 1e6;
}
