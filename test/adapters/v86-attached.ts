/** Devices attached to an emulator that runs no guest, and our driver half for each, which reaches it through v86's ports. */

import { loadV86Core } from "../../src/adapters/v86/memory";
import type { Core } from "../../src/core/core";
import type { DeviceModel } from "../../src/device/model";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../src/driver/blk";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import { PciPort, type PciPortOptions } from "../../src/transport/pci-port";
import {
  type AttachedDevice,
  type Attachment,
  type AttachOptions,
  attach,
  type DeviceSpec,
} from "../../src/v86";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { V86Machine } from "./v86-machine";
import { V86Function } from "./v86-ports";

/** Guest memory of each driver. */
const WINDOW = { gpa: 0x100000, size: 0x20000 };
const BUFFER_BYTES = 4096;

/** A machine with devices. */
export class Attached {
  readonly machine: V86Machine;
  readonly attachment: Attachment;
  /** The driver's own. */
  readonly core: Core;

  private constructor(machine: V86Machine, attachment: Attachment, core: Core) {
    this.machine = machine;
    this.attachment = attachment;
    this.core = core;
  }

  /** @param prepare called before anything is attached */
  static async start(
    devices: readonly (DeviceModel | DeviceSpec)[],
    options: AttachOptions = {},
    prepare: (machine: V86Machine) => void = () => {},
  ): Promise<Attached> {
    const machine = await V86Machine.start({});
    prepare(machine);
    const attachment = await attach(machine.emulator, devices, options);
    return new Attached(machine, attachment, await loadV86Core(machine.cpu, 8 * 65536));
  }

  device(i: number): AttachedDevice {
    const device = this.attachment.devices[i];
    if (device === undefined) throw new Error(`no device ${i}`);
    return device;
  }

  bus(i: number): V86Function {
    return new V86Function(this.machine.cpu, this.device(i).slot);
  }

  /** A driver of device `i`, initialised. */
  async drive(
    i: number,
    supports: readonly string[],
    options: Partial<DriverOptions> = {},
    how: PciPortOptions = {},
  ): Promise<Driving> {
    const port = await PciPort.open(this.bus(i), how);
    const { core } = this;
    const window = { gpa: WINDOW.gpa + i * WINDOW.size, size: WINDOW.size };
    const allocator = new GuestAllocator(core, window);
    const driver = new VirtioDriver({ port, core, allocator, supports, queueSize: 16, ...options });
    const result = await driver.initialize();
    if (!result.ok) throw new Error(result.reason);
    return { port, driver, core, allocator };
  }

  /** A driver of disk `i`, initialised. */
  async disk(i: number, ring: readonly string[], options: Partial<DriverOptions> = {}): Promise<Disk> {
    const driving = await this.drive(i, [...BLK_DRIVER_FEATURES, ...ring], { indirect: 3, ...options });
    return Disk.start(this.attachment, driving);
  }

  stop(): Promise<void> {
    return this.machine.stop();
  }
}

/** A driver and what it works with. */
export interface Driving {
  readonly port: PciPort;
  readonly driver: VirtioDriver;
  readonly core: Core;
  readonly allocator: GuestAllocator;
}

/** Requests to a disk, waited for. */
export class Disk {
  readonly driving: Driving;
  readonly blk: BlkDriver;
  private readonly attachment: Attachment;
  private readonly buffers: readonly number[];

  private constructor(attachment: Attachment, driving: Driving, blk: BlkDriver) {
    this.attachment = attachment;
    this.driving = driving;
    this.blk = blk;
    this.buffers = Array.from({ length: 4 }, () => driving.allocator.allocate(BUFFER_BYTES));
  }

  static async start(attachment: Attachment, driving: Driving): Promise<Disk> {
    const { driver, core, allocator } = driving;
    const indirect = driver.ring?.indirect ?? false;
    return new Disk(attachment, driving, await BlkDriver.start(driver, core, allocator, { indirect }));
  }

  /** The i-th buffer. */
  bytes(i = 0): Uint8Array {
    return this.driving.core.view(this.buffers[i] ?? 0, BUFFER_BYTES);
  }

  /** Guest address of the i-th buffer. */
  address(i = 0): number {
    return this.buffers[i] ?? 0;
  }

  /** Adds a request of a buffer; doesn't show it. */
  add(how: "read" | "write", sector: number, i = 0): void {
    if (this.blk[how](sector, this.address(i), BUFFER_BYTES) === 0) throw new Error("the queue is full");
  }

  /** Shows what was added, waits until it is served, and gives the statuses. */
  async served(): Promise<number[]> {
    await this.blk.submit();
    await this.attachment.idle();
    return this.finished();
  }

  finished(): number[] {
    const statuses: number[] = [];
    this.blk.poll((_token, status) => statuses.push(status));
    return statuses;
  }
}
