/** A driver queue and a device queue on one core, for tests of the public classes. */
import { type Core, loadCoreSync } from "../../src/core/core";
import { DeviceQueue, type DeviceQueueOptions } from "../../src/virtqueue/device-queue";
import { DriverQueue, type DriverQueueOptions } from "../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { type RingLayout, ringAreas } from "../../src/virtqueue/layout";

export type Layout = "split" | "packed";

/** A RingLayout as the gate would give it. */
export function ringOf(layout: Layout, features: Partial<RingLayout> = {}): RingLayout {
  return {
    layout,
    eventIdx: false,
    indirect: false,
    inOrder: false,
    notificationData: false,
    notifyOnEmpty: false,
    reason: "a test",
    ...features,
  };
}

/** Areas for a queue, out of an allocator. */
export function areasOf(allocator: GuestAllocator, layout: Layout, size: number) {
  const needs = ringAreas(layout, size);
  return {
    descriptor: allocator.allocate(needs.descriptor.bytes, needs.descriptor.align),
    driver: allocator.allocate(needs.driver.bytes, needs.driver.align),
    device: allocator.allocate(needs.device.bytes, needs.device.align),
  };
}

export interface RigOptions {
  readonly features?: Partial<RingLayout>;
  readonly size?: number;
  readonly core?: Core;
  readonly allocator?: GuestAllocator;
  readonly driver?: Partial<DriverQueueOptions>;
  readonly device?: Partial<DeviceQueueOptions>;
}

/** Both halves of queue 0, a buffer allocator, and a way to push chains through. */
export function rig(layout: Layout, options: RigOptions = {}) {
  const core = options.core ?? loadCoreSync({ guestBytes: 1 << 20 });
  const allocator = options.allocator ?? new GuestAllocator(core);
  const size = options.size ?? 8;
  const ring = ringOf(layout, options.features);
  const areas = areasOf(allocator, layout, size);
  const common = { index: 0, ring, size, areas };
  const indirect = ring.indirect ? { tables: allocator.allocate(size * 8 * 16), entries: 8 } : undefined;
  const driverOptions = { ...common, ...(indirect ? { indirect } : {}), ...options.driver };
  const deviceOptions = { ...common, ...options.device };
  const driver = new DriverQueue(core, driverOptions);
  const device = new DeviceQueue(core, deviceOptions);
  const buffer = (length: number) => ({ address: allocator.allocate(length), length });
  return { core, allocator, driver, device, driverOptions, deviceOptions, buffer };
}
