/**
 * A whole stack: a driver, a loopback, a device and its model, moving requests round by round. It is no ring, so it has a
 * protocol of its own: a round, and a proof that the rounds did what they say.
 */
import type { Workload } from "../ring";

/** A stack that was opened for one workload. */
export interface Stack {
  /**
   * Moves one batch of requests to the device and back.
   *
   * @throws Error when one of them fails, or doesn't come back
   */
  round(): void;
  /**
   * Looks at the bytes that the last round moved.
   *
   * @throws Error when they are not those that had to arrive
   */
  prove(): void;
}

/** How a stack gets into the table. */
export interface StackAdapter {
  /** As in `--rings`. */
  readonly name: string;
  openStack(workload: Workload): Promise<Stack>;
}

/** What requests do, as a workload names them; every other device is a ring's own. */
export const REQUESTS = ["blk-read", "blk-write", "net"] as const;

/** Whether a workload is one for stacks. */
export function isEndToEnd({ device }: Workload): boolean {
  return REQUESTS.some((request) => request === device);
}

/** Payload bytes of one request. */
export function requestBytes({ shape }: Workload): number {
  return shape.readable.reduce((sum, bytes) => sum + bytes, 0);
}

/** Throws unless both have the same bytes. */
export function expectSame(what: string, actual: Uint8Array, expected: Uint8Array): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} bytes, not ${expected.length}`);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  if (at >= 0) throw new Error(`${what}: byte ${at} is ${actual[at]}, not ${expected[at]}`);
}
