/**
 * Devices on an emulator and what ties them to it: its restart resets them, its snapshots carry them, and turns serve them.
 */
import type { Core } from "../../core/core";
import type { NamedSpec } from "./attach-options";
import { type AttachedCounters, AttachedDevice, type AttachedParts } from "./attached-device";
import { V86Bus } from "./bus";
import type { V86Emulator } from "./emulator";
import { intercept } from "./intercept";
import { nextTask } from "./macrotask";
import { jitObserver } from "./memory";
import { readSnapshot, snapshotText } from "./snapshot";
import { Turns } from "./turns";

/** What an attachment is made of. */
export interface AttachmentParts {
  readonly emulator: V86Emulator;
  readonly core: Core;
  readonly specs: readonly NamedSpec[];
  /** Most chains of one device in one turn. */
  readonly budget: number;
  readonly onDispose: () => void;
}

/** The devices that one `attach` has put on an emulator. */
export class Attachment {
  /** In the order in which they were given. */
  readonly devices: readonly AttachedDevice[];
  private readonly bus: V86Bus;
  private readonly turns: Turns;
  private readonly onDispose: () => void;
  private readonly undo: readonly (() => void)[];

  /** @internal `attach()` makes attachments. */
  constructor({ emulator, core, specs, budget, onDispose }: AttachmentParts) {
    const { cpu } = emulator.v86;
    const turns = new Turns(budget);
    const bus = new V86Bus(cpu);
    const parts = { core, bus, onTouched: jitObserver(cpu), onWork: () => turns.request() };
    this.onDispose = onDispose;
    this.turns = turns;
    this.bus = bus;
    this.devices = plugged(specs, parts);
    turns.serve(this.devices.map(({ device }) => device));
    this.undo = [
      intercept(cpu, "reboot_internal", (reboot) => () => {
        this.reset();
        reboot();
      }),
      intercept(cpu, "get_state", (getState) => () => [...getState(), snapshotText(this.devices)]),
      intercept(cpu, "set_state", (setState) => (state) => this.restore(state, setState)),
      intercept(emulator, "save_state", (saveState) => () => this.quietly(saveState)),
      intercept(emulator, "restore_state", (restoreState) => (state) => {
        this.reset();
        return this.quietly(() => restoreState(state));
      }),
    ];
  }

  /** What the devices have done, by name: `console.table(attachment.counters)`. */
  get counters(): Readonly<Record<string, AttachedCounters>> {
    return Object.fromEntries(this.devices.map(({ name, counters }) => [name, counters]));
  }

  /** Settles when everything that was notified is served and every backend has answered; not within {@link quietly}. */
  async idle(): Promise<void> {
    do {
      await nextTask();
      await this.answered();
    } while (this.devices.some(({ device }) => device.hasWork));
  }

  /** Takes the devices off the bus, as if they were pulled out, and leaves the emulator as it was. */
  dispose(): void {
    for (const undo of this.undo) undo();
    this.turns.serve([]);
    this.reset();
    for (const { device } of this.devices) device.dispose();
    this.bus.dispose();
    this.onDispose();
  }

  /**
   * Does something while the devices stand still, with nothing in their backends' or models' hands. v86's `save_state()` waits for the
   * same by itself; this is for what has to be of the same moment, a copy of a disk for example.
   */
  async quietly<T>(action: () => T | Promise<T>): Promise<T> {
    this.turns.hold();
    try {
      await this.quiet();
      return await action();
    } finally {
      this.turns.release();
    }
  }

  /** Backends answer by themselves; a chain that a model is in the middle of takes its turns. */
  private async quiet(): Promise<void> {
    for (;;) {
      await this.answered();
      const open = this.devices.filter(({ device }) => !device.canSave && device.hasWork);
      if (open.length === 0) return;
      for (const { device } of open) device.process(1);
      await nextTask();
    }
  }

  private async answered(): Promise<void> {
    await Promise.all(this.devices.map(({ device }) => device.idle()));
  }

  /**
   * What v86 is not to take over is found before it does: it would take another device's configuration space, too. It
   * restores guest RAM last, and only then can rings be looked at.
   */
  private restore(state: readonly unknown[], setState: (state: readonly unknown[]) => void): void {
    this.reset();
    try {
      const records = readSnapshot(state, this.devices);
      for (const { device, record } of records) device.judge(record);
      setState(state);
      for (const { device, record } of records) device.restore(record);
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  private reset(): void {
    for (const device of this.devices) device.reset();
  }
}

/** All devices, or none of them. */
function plugged(specs: readonly NamedSpec[], parts: Omit<AttachedParts, "spec">): AttachedDevice[] {
  try {
    return specs.map((spec) => new AttachedDevice({ spec, ...parts }));
  } catch (error) {
    parts.bus.dispose();
    throw error;
  }
}
