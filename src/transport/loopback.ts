/**
 * The shortest way between a driver and a device: no registers, no bus. Every call goes straight to the device, and
 * its notifications to the driver's handler. Carries no features of its own; PCI-only ones don't exist here.
 */
import type { VirtioDevice } from "../device/device";
import type { NotificationHandler, PortQueueSetup, TransportPort } from "../driver/port";

/** What a loopback can pass for. */
export interface LoopbackOptions {
  /** Whose word order and features count: "pci", "mmio", "ccw". Default "loopback". */
  readonly transport?: string;
  /** The window that a PCI driver uses (§4.1.4.10), for devices that recognise legacy drivers by it. */
  readonly window?: "legacy" | "modern";
  /** What the Version register of MMIO reads (§4.2.2), for devices that go by that. */
  readonly versionRegister?: 1 | 2;
}

/** A port onto a device in the same process. The host still calls `device.process()`. */
export class Loopback implements TransportPort {
  readonly transport: string;
  readonly device: VirtioDevice;
  private handler: NotificationHandler | undefined;

  constructor(device: VirtioDevice, options: LoopbackOptions = {}) {
    const { transport = "loopback", window, versionRegister } = options;
    this.device = device;
    this.transport = transport;
    device.connect(
      (kind, queue) => this.handler?.(kind, queue),
      versionRegister === undefined ? {} : { versionRegister },
    );
    if (window !== undefined) device.useWindow(window);
  }

  get deviceId(): number {
    return this.device.model.deviceId;
  }

  readDeviceFeatures(word: number): number {
    return this.device.readFeatures(word);
  }

  writeDriverFeatures(word: number, value: number): void {
    this.device.writeFeatures(word, value);
  }

  readStatus(): number {
    return this.device.readStatus();
  }

  writeStatus(value: number): void {
    this.device.writeStatus(value);
  }

  readConfig(offset: number, bytes: 1 | 2 | 4): number {
    return this.device.readConfig(offset, bytes);
  }

  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number): void {
    this.device.writeConfig(offset, bytes, value);
  }

  configGeneration(): number {
    return this.device.configGeneration();
  }

  queueMaxSize(index: number): number {
    return this.device.queueMaxSize(index);
  }

  enableQueue(index: number, setup: PortQueueSetup): void {
    this.device.enableQueue(index, setup);
  }

  queueReady(index: number): boolean {
    return this.device.queueReady(index);
  }

  resetQueue(index: number): void {
    this.device.resetQueue(index);
  }

  /** Never: a device in the same process has reset its queue when the call returns. */
  queueInReset(_index: number): boolean {
    return false;
  }

  disableQueue(index: number): void {
    this.device.disableQueue(index);
  }

  notify(kickValue: number): void {
    this.device.notify(kickValue);
  }

  onInterrupt(handler: NotificationHandler): void {
    this.handler = handler;
  }

  refusal(): string | undefined {
    return this.device.refusal;
  }
}
