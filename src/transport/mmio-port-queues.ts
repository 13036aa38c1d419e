/**
 * The queue registers of virtio-mmio as a driver uses them (§4.2.2, §4.2.3.2): select, look, program, enable. Each
 * method is one sequence of accesses; who runs it is mmio-port.ts. The legacy layout is in mmio-port-legacy-queues.ts. The
 * checks and the areas' addresses are for the queues of virtio-pci, too.
 */
import type { PortQueueSetup } from "../driver/port";
import { VirtioError } from "../errors";
import {
  VIRTIO_MMIO_QUEUE_DESC_LOW,
  VIRTIO_MMIO_QUEUE_DEVICE_LOW,
  VIRTIO_MMIO_QUEUE_DRIVER_LOW,
  VIRTIO_MMIO_QUEUE_READY,
  VIRTIO_MMIO_QUEUE_RESET,
  VIRTIO_MMIO_QUEUE_SEL,
  VIRTIO_MMIO_QUEUE_SIZE,
  VIRTIO_MMIO_QUEUE_SIZE_MAX,
} from "../spec/mmio";
import { splitAddress } from "../virtqueue/ring-half";
import type { RegisterBus } from "./register-bus";
import type { Sequence } from "./register-sequence";

/** What a driver does with the queues of a device, whichever its transport and register layout. */
export interface PortQueues {
  /** The device is reset: no queue is in use (§2.4). */
  wereReset(): void;
  maxSize(index: number): Sequence<number>;
  enable(index: number, setup: PortQueueSetup): Sequence<void>;
  isReady(index: number): Sequence<boolean>;
  reset(index: number): Sequence<void>;
  isInReset(index: number): Sequence<boolean>;
}

/** On MMIO a queue can be stopped without a reset, too. */
export interface MmioPortQueues extends PortQueues {
  disable(index: number): Sequence<void>;
}

/** Where the low half of each area's address is written; the high half has the next 32 bits. */
export type AreaRegisters = Readonly<Record<keyof PortQueueSetup["areas"], number>>;

const AREA_REGISTERS: AreaRegisters = {
  descriptor: VIRTIO_MMIO_QUEUE_DESC_LOW,
  driver: VIRTIO_MMIO_QUEUE_DRIVER_LOW,
  device: VIRTIO_MMIO_QUEUE_DEVICE_LOW,
};

/** The queue registers of version 2. */
export class ModernPortQueues implements MmioPortQueues {
  readonly #bus: RegisterBus;

  constructor(bus: RegisterBus) {
    this.#bus = bus;
  }

  wereReset(): void {}

  *maxSize(index: number): Sequence<number> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    return yield this.#bus.read(VIRTIO_MMIO_QUEUE_SIZE_MAX, 4);
  }

  /** @throws VirtioError QUEUE_LOCKED, QUEUE_SIZE_INVALID; nothing was written but the selector then */
  *enable(index: number, { size, areas }: PortQueueSetup): Sequence<void> {
    const bus = this.#bus;
    yield bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    // §4.2.2.2: while QueueReady is not 0, size and addresses must not be touched.
    requireIdle(index, "QueueReady", yield bus.read(VIRTIO_MMIO_QUEUE_READY, 4), "4.2.3.2");
    requireRoom(index, size, yield bus.read(VIRTIO_MMIO_QUEUE_SIZE_MAX, 4), "4.2.2.2");
    yield bus.write(VIRTIO_MMIO_QUEUE_SIZE, 4, size);
    yield* writeAreas(bus, index, areas, AREA_REGISTERS);
    yield bus.write(VIRTIO_MMIO_QUEUE_READY, 4, 1);
  }

  *isReady(index: number): Sequence<boolean> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    return (yield this.#bus.read(VIRTIO_MMIO_QUEUE_READY, 4)) !== 0;
  }

  *disable(index: number): Sequence<void> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_READY, 4, 0);
    // §4.2.2.2: read back, so that the device has seen it; whether it obeyed says `isReady`.
    yield this.#bus.read(VIRTIO_MMIO_QUEUE_READY, 4);
  }

  *reset(index: number): Sequence<void> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_RESET, 4, 1);
  }

  *isInReset(index: number): Sequence<boolean> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    return (yield this.#bus.read(VIRTIO_MMIO_QUEUE_RESET, 4)) !== 0;
  }
}

/** Programs where the three areas of the selected queue lie, each address as two 32-bit halves, low before high. */
export function* writeAreas(
  bus: RegisterBus,
  index: number,
  areas: PortQueueSetup["areas"],
  registers: AreaRegisters,
): Sequence<void> {
  for (const area of ["descriptor", "driver", "device"] as const) {
    const [low, high] = splitAddress(`queue ${index}`, areas[area]);
    yield bus.write(registers[area], 4, low);
    yield bus.write(registers[area] + 4, 4, high);
  }
}

/** @throws VirtioError QUEUE_LOCKED if the register that says whether a queue is in use isn't 0 */
export function requireIdle(index: number, register: string, value: number, section: string): void {
  if (value === 0) return;
  const text = `queue ${index} is in use: ${register} reads ${value}, and has to read 0 before a set-up`;
  throw new VirtioError("QUEUE_LOCKED", text, { section, queue: index });
}

/** @throws VirtioError QUEUE_SIZE_INVALID if the device allows fewer descriptors, or none */
export function requireRoom(index: number, size: number, maximum: number, section: string): void {
  if (size >= 1 && size <= maximum) return;
  const text = `queue ${index}: ${size} descriptors, the device allows ${maximum}`;
  throw new VirtioError("QUEUE_SIZE_INVALID", text, { section, queue: index });
}
