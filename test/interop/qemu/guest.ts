/**
 * A driver of one QEMU device: core, guest memory, transport and VirtioDriver, put together. What its device driver does
 * with the queues goes through `exchange`, which keeps both memories alike.
 */
import { type Core, loadCore } from "../../../src/core/core";
import { type DriverOptions, VirtioDriver } from "../../../src/driver/driver";
import { MmioPort } from "../../../src/transport/mmio-port";
import type { DriverQueue } from "../../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../../src/virtqueue/guest-allocator";
import type { Machine } from "./machine";
import { Mirror } from "./mirror";
import { MirroredBus } from "./mirrored-bus";
import type { QtestBus } from "./qtest-bus";

/** As much of QEMU's RAM as a driver uses; all of it is compared at each exchange. */
const GUEST_BYTES = 1024 * 1024;
/** QEMU takes a queue whose descriptor area is at address 0 for one that was never set up, and says nothing. */
const FIRST_PAGE = 4096;
/** How long a device may take for what was asked of it, in milliseconds. */
const PATIENCE = 10_000;

/** What is the same for each driver here. */
type GuestOptions = Omit<DriverOptions, "port" | "core" | "allocator">;

/** One device with its driver. */
export class Guest {
  readonly driver: VirtioDriver;
  readonly core: Core;
  readonly allocator: GuestAllocator;
  private readonly mirror: Mirror;
  private readonly bus: MirroredBus;

  private constructor(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    mirror: Mirror,
    bus: MirroredBus,
  ) {
    this.driver = driver;
    this.core = core;
    this.allocator = allocator;
    this.mirror = mirror;
    this.bus = bus;
  }

  /** A driver, not yet initialised, for a device that nobody drives yet. */
  static async of(machine: Machine, device: QtestBus | undefined, options: GuestOptions): Promise<Guest> {
    if (device === undefined) throw new Error("QEMU has no such device");
    const core = await loadCore({ guestBytes: GUEST_BYTES });
    const allocator = new GuestAllocator(core, { gpa: FIRST_PAGE, size: GUEST_BYTES - FIRST_PAGE });
    let queues: () => readonly DriverQueue[] = () => [];
    const mirror = new Mirror(core, machine.ram, () => queues());
    const bus = new MirroredBus(device, mirror);
    const port = Object.assign(await MmioPort.open(bus), { copiesMemory: true });
    const driver = new VirtioDriver({ profile: "linux-current", ...options, port, core, allocator });
    queues = () => driver.queues;
    return new Guest(driver, core, allocator, mirror, bus);
  }

  /**
   * Lets the device work until something has come of it.
   *
   * @param isDone polls the device driver; called with the device's writes carried back
   * @throws Error when that takes too long, VirtioError DEVICE_NEEDS_RESET when the device gave up
   */
  async until(isDone: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    this.bus.settle();
    for (;;) {
      this.mirror.pull();
      const done = await isDone();
      this.bus.settle();
      if (done) return;
      await this.driver.check();
      if (Date.now() > deadline) throw new Error(`QEMU's device has done nothing for ${PATIENCE} ms`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}
