/**
 * A small entropy driver (§5.4.6): asks for random bytes, several requests at a time, and takes what came.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { VirtioDriver } from "./driver";
import type { Awaitable } from "./port";

/** Random bytes that came: the request's token, and a view on guest memory that is gone after the call. */
export type RngCompletion = (token: number, bytes: Uint8Array) => void;

/** Requests to one initialised entropy device. After a reset make a new one. */
export class RngDriver {
  private readonly driver: VirtioDriver;
  private readonly core: Core;
  private readonly allocator: GuestAllocator;
  private readonly queue: DriverQueue;
  /** Guest address of the buffer of each request, by token. */
  private readonly buffers = new Map<number, number>();

  /** @throws VirtioError QUEUE_NOT_READY if the device is not initialised */
  constructor(driver: VirtioDriver, core: Core, allocator: GuestAllocator) {
    const queue = driver.queues[0];
    if (queue === undefined)
      throw new VirtioError("QUEUE_NOT_READY", "the entropy device is not initialised");
    this.driver = driver;
    this.core = core;
    this.allocator = allocator;
    this.queue = queue;
  }

  /** Requests in flight. */
  get inFlight(): number {
    return this.buffers.size;
  }

  /**
   * Asks for random bytes; fewer may come.
   *
   * @param length bytes, 1 and up
   * @returns a token, 0 if nothing more fits now
   * @throws VirtioError BAD_ARGUMENT if guest memory is too small
   */
  request(length: number): number {
    const address = this.allocator.allocate(length);
    // §5.4.6.1: no device-readable buffers here.
    const token = this.queue.add([], [{ address, length }]);
    if (token === 0) this.allocator.free(address);
    else this.buffers.set(token, address);
    return token;
  }

  /** Shows the device what was asked for since, and notifies it if it wants that. */
  submit(): Awaitable<void> {
    return this.driver.kick(this.queue.index);
  }

  /**
   * Takes finished requests.
   *
   * @param done called for each; it may ask for more
   * @returns how many there were
   * @throws VirtioError DEVICE_NEEDS_RESET once the device said so
   */
  poll(done: RngCompletion): number {
    this.driver.poll();
    let total = 0;
    for (const { token, length } of this.queue.usedBuffers()) {
      const address = this.buffers.get(token);
      if (address === undefined) continue;
      this.buffers.delete(token);
      // §5.4.6.1: the used length says how many random bytes there are.
      done(token, this.core.view(address, length));
      this.allocator.free(address);
      total++;
    }
    return total;
  }

  /** Gives the guest memory back, after the device was reset or all requests have finished. */
  dispose(): void {
    for (const address of this.buffers.values()) this.allocator.free(address);
    this.buffers.clear();
  }
}
