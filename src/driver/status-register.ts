/**
 * The status register as a driver writes it (§2.1.1): always what was read plus one bit, never a cleared one; a reset
 * is over when 0 is read (§2.4.2).
 */
import { VirtioError } from "../errors";
import { type EventSink, hex } from "../negotiation/control-event";
import { statusNames } from "../negotiation/status-names";
import { VIRTIO_CONFIG_S_FAILED, VIRTIO_CONFIG_S_NEEDS_RESET } from "../spec/status";
import type { TransportPort } from "./port";

/** The device status through a port. */
export class StatusRegister {
  /** As last read or written. */
  last = 0;
  private readonly port: TransportPort;
  private readonly onEvent: EventSink;
  private readonly mostReads: number;

  /** @param mostReads how often the status is asked for until a change counts as hung, ≥ 1 */
  constructor(port: TransportPort, onEvent: EventSink, mostReads: number) {
    this.port = port;
    this.onEvent = onEvent;
    this.mostReads = mostReads;
  }

  async read(): Promise<number> {
    this.last = await this.port.readStatus();
    return this.last;
  }

  /**
   * Adds one bit to what the register shows.
   *
   * @throws VirtioError DEVICE_NEEDS_RESET instead of going on with a broken device; FAILED may be set all the same
   */
  async add(bit: number): Promise<void> {
    const before = await this.read();
    if ((before & VIRTIO_CONFIG_S_NEEDS_RESET) !== 0 && bit !== VIRTIO_CONFIG_S_FAILED) {
      throw new VirtioError("DEVICE_NEEDS_RESET", `the device needs a reset: status ${hex(before)}`, {
        section: "2.1.1",
      });
    }
    this.last = before | bit;
    this.event("status", hex(before), statusNames(bit), "3.1.1");
    await this.port.writeStatus(this.last);
  }

  /**
   * Resets the device and waits until it says so.
   *
   * @throws VirtioError DEVICE_NEEDS_RESET if it never does
   */
  async reset(): Promise<void> {
    const before = this.last;
    this.last = 0;
    this.event("reset", hex(before), "asks for a reset", "2.4");
    await this.port.writeStatus(0);
    for (let reads = 1; (await this.read()) !== 0; reads++) {
      if (reads >= this.mostReads) {
        const text = `the device did not finish its reset: status ${hex(this.last)} after ${reads} reads`;
        throw new VirtioError("DEVICE_NEEDS_RESET", text, { section: "2.4.2" });
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.event("reset", undefined, "read back: the reset is over", "2.4.2");
  }

  /**
   * Adds a bit and waits until the device shows `shown` and not `gone` (§3.4.1: SUSPEND and DRIVER_OK take turns).
   *
   * @throws VirtioError DEVICE_NEEDS_RESET if the device says so, or never gets there
   */
  async change(bit: number, shown: number, gone: number, what: string): Promise<void> {
    await this.add(bit);
    for (let reads = 1; ; reads++) {
      const status = await this.read();
      if ((status & VIRTIO_CONFIG_S_NEEDS_RESET) !== 0 || reads > this.mostReads) {
        const text = `the device was not ${what}: status ${hex(status)} after ${reads} reads`;
        throw new VirtioError("DEVICE_NEEDS_RESET", text, { section: "3.4.1" });
      }
      if ((status & shown) !== 0 && (status & gone) === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    this.event("status", undefined, `read back: ${what}`, "3.4.1");
  }

  private event(step: string, before: string | undefined, note: string, section: string): void {
    const change = { ...(before === undefined ? {} : { before }), after: hex(this.last) };
    this.onEvent({ side: "driver", step, field: "status", ...change, section, note });
  }
}
