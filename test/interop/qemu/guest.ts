/**
 * A guest of one QEMU: a core with guest memory, which any number of drivers share, each on a device of the machine.
 * What they do with their queues goes through `until`, which keeps the guest's memory and QEMU's alike.
 */
import { type Core, loadCore } from "../../../src/core/core";
import { type DriverOptions, VirtioDriver } from "../../../src/driver/driver";
import type { TransportPort } from "../../../src/driver/port";
import { MmioPort } from "../../../src/transport/mmio-port";
import type { DriverQueue } from "../../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../../src/virtqueue/guest-allocator";
import type { Machine } from "./machine";
import { Mirror } from "./mirror";
import { MirroredPort } from "./mirrored-port";
import type { QtestBus } from "./qtest-bus";

/** As much of QEMU's RAM as the drivers use; all of it is compared at each exchange. */
const GUEST_BYTES = 1024 * 1024;
/** QEMU takes a queue whose descriptor area is at address 0 for one that was never set up, and says nothing. */
const FIRST_PAGE = 4096;
/** How long a device may take for what was asked of it, in milliseconds. */
const PATIENCE = 10_000;

/** What is the same for each driver here. */
type GuestOptions = Omit<DriverOptions, "port" | "core" | "allocator">;

/** Memory and drivers. */
export class Guest {
  readonly core: Core;
  readonly allocator: GuestAllocator;
  private readonly mirror: Mirror;
  private readonly drivers: VirtioDriver[] = [];
  private readonly ports: MirroredPort[] = [];

  private constructor(core: Core, file: number) {
    this.core = core;
    this.allocator = new GuestAllocator(core, { gpa: FIRST_PAGE, size: GUEST_BYTES - FIRST_PAGE });
    this.mirror = new Mirror(core, file, () => this.drivers.flatMap(({ queues }) => queues));
  }

  /** A guest without drivers. */
  static async of(machine: Machine): Promise<Guest> {
    return new Guest(await loadCore({ guestBytes: GUEST_BYTES }), machine.ram);
  }

  /** A driver, not yet initialised, for a device on virtio-mmio that nobody drives yet. */
  async attach(device: QtestBus | undefined, options: GuestOptions): Promise<VirtioDriver> {
    if (device === undefined) throw new Error("QEMU has no such device");
    return this.attachPort(await MmioPort.open(device), options);
  }

  /** The same for a device behind any port. */
  attachPort(port: TransportPort, options: GuestOptions): VirtioDriver {
    const { core, allocator } = this;
    let queues: () => readonly DriverQueue[] = () => [];
    const mirrored = new MirroredPort(port, this.mirror, () => queues());
    const driver = new VirtioDriver({
      // QEMU never sets WRITE in packed used descriptors: without this, nothing that it sends would have a length.
      lengthWithoutWrite: true,
      ...options,
      port: mirrored.port,
      core,
      allocator,
    });
    queues = () => driver.queues;
    this.drivers.push(driver);
    this.ports.push(mirrored);
    return driver;
  }

  /** Queues of this driver were set up anew: their rings are carried over whole, before anything is in them. */
  renewed({ queues }: VirtioDriver): void {
    this.mirror.pushNew(queues);
  }

  /**
   * Lets the devices work until something has come of it.
   *
   * @param isDone polls the device drivers; called with the devices' writes carried back
   * @throws Error when that takes too long, VirtioError DEVICE_NEEDS_RESET when a device gave up
   */
  async until(isDone: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    await this.settle();
    while (!(await this.step(isDone))) {
      if (Date.now() > deadline) throw new Error(`QEMU's device has done nothing for ${PATIENCE} ms`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Lets the devices work for a few turns, for what is not to happen in them. */
  async turns(count: number, look: () => void): Promise<void> {
    await this.settle();
    for (let i = 0; i < count; i++) {
      await this.step(() => {
        look();
        return false;
      });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  private async step(isDone: () => boolean | Promise<boolean>): Promise<boolean> {
    this.mirror.pull();
    const done = await isDone();
    await this.settle();
    if (!done) for (const driver of this.drivers) await driver.check();
    return done;
  }

  private async settle(): Promise<void> {
    for (const port of this.ports) await port.settle();
  }
}
