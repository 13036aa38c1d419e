/**
 * A device of QEMU behind its virtio-mmio window. Without KVM there is no ioeventfd: a device works from within the register
 * write, and the backends here answer from within that or never. The few commands after it are turns of the main loop, for
 * whatever was left to it; no clock is looked at.
 */
import { readSync, writeSync } from "node:fs";
import {
  VIRTIO_MMIO_QUEUE_NOTIFY,
  VIRTIO_MMIO_QUEUE_READY,
  VIRTIO_MMIO_STATUS,
} from "../../../src/spec/mmio";
import { RawMemory } from "../../raw-ring";
import { INSTALLED } from "../qemu/binaries";
import { Machine } from "../qemu/machine";
import type { QtestBus } from "../qemu/qtest-bus";
import { SubjectLost } from "./ask";
import { DEVICES, type DeviceName } from "./devices";
import { GUEST_BYTES, type Subject } from "./subject";

/** Registers at whose writing a device looks into guest memory. */
const STARTERS: readonly number[] = [VIRTIO_MMIO_STATUS, VIRTIO_MMIO_QUEUE_READY, VIRTIO_MMIO_QUEUE_NOTIFY];
/** Turns of the main loop that a device gets after such a write. */
const TURNS = 16;

/** A device of QEMU's, alone in a machine of its own. */
export class QemuSubject implements Subject {
  readonly memory: RawMemory;
  private readonly machine: Machine;
  private readonly bus: QtestBus;
  /** The start of the machine's RAM as driver and device know it between two turns of the device. */
  private readonly bytes = new Uint8Array(GUEST_BYTES);

  private constructor(machine: Machine, bus: QtestBus) {
    this.machine = machine;
    this.bus = bus;
    this.memory = new RawMemory(() => this.bytes);
  }

  static async start(name: DeviceName): Promise<QemuSubject> {
    const machine = await Machine.start(INSTALLED, DEVICES[name].argv);
    try {
      const [bus] = machine.devices();
      if (bus === undefined) throw new Error(`QEMU has no ${name}`);
      return new QemuSubject(machine, bus);
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    return this.reach(() => this.bus.read(offset, bytes));
  }

  write(offset: number, bytes: 1 | 2 | 4, value: number): void {
    this.reach(() => {
      if (STARTERS.includes(offset)) this.writeAndWait(offset, bytes, value);
      else this.bus.write(offset, bytes, value);
    });
  }

  stop(): Promise<void> {
    return this.machine.stop();
  }

  private writeAndWait(offset: number, bytes: 1 | 2 | 4, value: number): void {
    const { ram } = this.machine;
    writeSync(ram, this.bytes, 0, GUEST_BYTES, 0);
    this.bus.write(offset, bytes, value);
    for (let turn = 0; turn < TURNS; turn++) this.bus.read(VIRTIO_MMIO_STATUS, 4);
    readSync(ram, this.bytes, 0, GUEST_BYTES, 0);
  }

  /** QEMU may end or loop for ever; the protocol then gives up after a while. */
  private reach<T>(access: () => T): T {
    try {
      return access();
    } catch (error) {
      throw new SubjectLost(String(error), { cause: error });
    }
  }
}
