/**
 * A small console driver for one port (§5.3.6): keeps receive buffers with the device and sends output through a few
 * buffers of its own.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { VIRTIO_CONSOLE_RECEIVEQ, VIRTIO_CONSOLE_TRANSMITQ } from "../spec/console";
import type { DriverQueue, Segment } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { VirtioDriver } from "./driver";

/** The features that this driver knows; add the ring's. */
export const CONSOLE_DRIVER_FEATURES: readonly string[] = ["SIZE", "EMERG_WRITE"];

/** How a console driver uses its queues. */
export interface ConsoleDriverOptions {
  /** Buffers in each direction. Default 4; no more than the queues hold. */
  readonly buffers?: number;
  /** Bytes of each. Default 256. */
  readonly bufferBytes?: number;
}

/** Input and output of one initialised console. After a reset make a new one. */
export class ConsoleDriver {
  private readonly driver: VirtioDriver;
  private readonly core: Core;
  private readonly allocator: GuestAllocator;
  private readonly receiveq: DriverQueue;
  private readonly transmitq: DriverQueue;
  private readonly slab: number;
  /** Receive buffers at the device, by token. */
  private readonly receiving = new Map<number, Segment>();
  /** Output buffers at the device, by token, and those that are free. */
  private readonly sending = new Map<number, Segment>();
  private readonly idle: Segment[] = [];

  private constructor(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    queues: readonly [DriverQueue, DriverQueue],
    options: ConsoleDriverOptions,
  ) {
    this.driver = driver;
    this.core = core;
    this.allocator = allocator;
    [this.receiveq, this.transmitq] = queues;
    const bytes = options.bufferBytes ?? 256;
    const count = Math.min(options.buffers ?? 4, this.receiveq.size, this.transmitq.size);
    this.slab = allocator.allocate(2 * count * bytes);
    for (let i = 0; i < count; i++) {
      this.receive({ address: this.slab + 2 * i * bytes, length: bytes });
      this.idle.push({ address: this.slab + (2 * i + 1) * bytes, length: bytes });
    }
  }

  /**
   * Takes over an initialised device and gives it receive buffers (§5.3.5 step 4).
   *
   * @throws VirtioError QUEUE_NOT_READY if the device is not initialised, BAD_ARGUMENT if guest memory is too small
   */
  static async start(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    options: ConsoleDriverOptions = {},
  ): Promise<ConsoleDriver> {
    const receiveq = driver.queues[VIRTIO_CONSOLE_RECEIVEQ];
    const transmitq = driver.queues[VIRTIO_CONSOLE_TRANSMITQ];
    if (receiveq === undefined || transmitq === undefined) {
      throw new VirtioError("QUEUE_NOT_READY", "the console device is not initialised");
    }
    const console = new ConsoleDriver(driver, core, allocator, [receiveq, transmitq], options);
    await console.submit();
    return console;
  }

  /** Output buffers that the device has not used yet. */
  get inFlight(): number {
    return this.sending.size;
  }

  /** Puts output into free buffers. @returns how many bytes found room: the rest again after {@link poll} */
  write(bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const segment = this.idle.pop();
      if (segment === undefined) break;
      const { address } = segment;
      const length = Math.min(segment.length, bytes.length - done);
      this.core.view(address, length).set(bytes.subarray(done, done + length));
      // §5.3.6.1: no device-writable buffer in a transmitq.
      this.sending.set(this.transmitq.add([{ address, length }]), segment);
      done += length;
    }
    return done;
  }

  /** Shows the device output and fresh receive buffers, and notifies it if it wants that. */
  async submit(): Promise<void> {
    await this.driver.kick(VIRTIO_CONSOLE_RECEIVEQ);
    await this.driver.kick(VIRTIO_CONSOLE_TRANSMITQ);
  }

  /**
   * Takes input and the buffers of finished output; `submit` gives the receive buffers back to the device.
   *
   * @param onInput called with a view on guest memory that is gone after the call
   * @returns buffers of input
   * @throws VirtioError DEVICE_NEEDS_RESET once the device said so
   */
  poll(onInput: (bytes: Uint8Array) => void): number {
    this.driver.poll();
    for (const { token } of this.transmitq.usedBuffers()) {
      const segment = this.sending.get(token);
      if (segment !== undefined) this.idle.push(segment);
      this.sending.delete(token);
    }
    let total = 0;
    for (const { token, length } of this.receiveq.usedBuffers()) {
      const segment = this.receiving.get(token);
      if (segment === undefined) continue;
      this.receiving.delete(token);
      onInput(this.core.view(segment.address, length));
      this.receive(segment);
      total++;
    }
    return total;
  }

  /** The size as it is now; undefined unless SIZE was negotiated (§5.3.5). */
  async size(): Promise<{ readonly cols: number; readonly rows: number } | undefined> {
    if (!this.driver.negotiated?.has("SIZE", "console")) return undefined;
    const [cols, rows] = await this.driver.readConfigFields(["cols", "rows"]);
    return { cols: Number(cols), rows: Number(rows) };
  }

  /**
   * Shows one character without a queue, whatever has happened to the queues (§5.3.5).
   *
   * @throws VirtioError CONFIG_READONLY if EMERG_WRITE is not offered
   */
  emergencyWrite(character: number): Promise<void> {
    return this.driver.writeConfigField("emerg_wr", character);
  }

  /** Gives the guest memory back, after the device was reset. */
  dispose(): void {
    this.allocator.free(this.slab);
  }

  private receive(segment: Segment): void {
    // §5.3.6.1: no device-readable buffer in a receiveq.
    this.receiving.set(this.receiveq.add([], [segment]), segment);
  }
}
