/**
 * A device behind its virtio-mmio window, and a driver by hand: register accesses, raw rings, and a canary around guest
 * RAM and the core's state.
 */
import { expect } from "vitest";
import { type Core, loadCoreSync } from "../../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import type { VirtioError } from "../../src/errors";
import type { ControlEvent } from "../../src/negotiation/control-event";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as mmio from "../../src/spec/mmio";
import { type MmioOptions, MmioTransport } from "../../src/transport/mmio";
import { TestModel, type TestModelOptions } from "../control-rig";
import { type Areas, RawMemory, RawPacked, RawSplit } from "../raw-ring";

const PAGE = 65536;
const STATE = { base: PAGE, size: 32 * PAGE };
const GUEST = 0x300000;
const CANARY = 0xa5;

/** What a rig is made of. */
export interface MmioRigOptions {
  readonly model?: TestModelOptions;
  readonly device?: Omit<DeviceOptions, "onEvent" | "onViolation">;
  readonly mmio?: MmioOptions;
  /** Bytes of guest RAM. Default 256 KiB. */
  readonly guestBytes?: number;
  /** Instead of a TestModel made from `model`. */
  readonly makeModel?: () => TestModel;
  readonly onEvent?: (event: ControlEvent) => void;
}

/** Ring places of the corpus. */
export const SPLIT_AREAS: Areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
export const PACKED_AREAS: Areas = { descriptor: 0x1000, driver: 0x2000, device: 0x2010 };
export const areasOf = (layout: "split" | "packed"): Areas =>
  layout === "split" ? SPLIT_AREAS : PACKED_AREAS;
/** What a driver accepts for a layout. */
export const featuresOf = (layout: "split" | "packed"): string[] =>
  layout === "split" ? ["VERSION_1"] : ["VERSION_1", "RING_PACKED"];

/** The two sides and what was heard of them. */
export class MmioRig {
  readonly core: Core;
  readonly model: TestModel;
  readonly device: VirtioDevice;
  readonly mmio: MmioTransport;
  readonly memory: RawMemory;
  readonly violations: VirtioError[] = [];
  /** Levels of the interrupt line as they came. */
  readonly levels: boolean[] = [];
  private readonly outside: () => Uint8Array[];

  constructor(options: MmioRigOptions = {}) {
    const guestBytes = options.guestBytes ?? 0x40000;
    const memory = new WebAssembly.Memory({ initial: (GUEST + guestBytes) / PAGE + 1 });
    const bytes = new Uint8Array(memory.buffer);
    bytes.fill(CANARY);
    bytes.fill(0, GUEST, GUEST + guestBytes);
    this.outside = () => [
      bytes.subarray(0, STATE.base),
      bytes.subarray(STATE.base + STATE.size, GUEST),
      bytes.subarray(GUEST + guestBytes),
    ];
    const regions = [{ gpa: 0, base: GUEST, size: guestBytes }];
    this.core = loadCoreSync({ memory, regions, state: STATE });
    this.memory = new RawMemory(() => bytes.subarray(GUEST, GUEST + guestBytes));
    const queues = [
      { name: "a", maxSize: 256 },
      { name: "b", maxSize: 64 },
    ];
    this.model = options.makeModel?.() ?? new TestModel({ queues, ...options.model });
    this.device = new VirtioDevice(this.core, this.model, {
      ...options.device,
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
      onViolation: (error) => this.violations.push(error),
    });
    this.mmio = new MmioTransport(this.device, {
      onInterrupt: (level) => this.levels.push(level),
      ...options.mmio,
    });
  }

  /** Codes of the violations since the last call. */
  codes(): string[] {
    return this.violations.splice(0).map(({ code }) => code);
  }

  get(at: number): number {
    return this.mmio.read(at, 4);
  }

  put(at: number, value: number): void {
    this.mmio.write(at, value, 4);
  }

  /** Through the status steps up to `status`, with these features accepted where that comes. */
  to(status: number, accepted: readonly string[] = ["VERSION_1"]): this {
    this.put(mmio.VIRTIO_MMIO_STATUS, 0);
    for (const next of [0x01, 0x03, 0x0b, 0x0f]) {
      if (next > status) break;
      if (next === 0x0b) this.accept(FeatureSet.from(accepted));
      this.put(mmio.VIRTIO_MMIO_STATUS, next);
      expect(this.get(mmio.VIRTIO_MMIO_STATUS)).toBe(next);
    }
    return this;
  }

  accept({ words }: FeatureSet): void {
    words.forEach((word, index) => {
      this.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, index);
      this.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES, word);
    });
  }

  /** Size and addresses of a queue, not QueueReady. */
  program(index: number, size: number, areas: { [Name in keyof Areas]: number | bigint }): void {
    this.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
    this.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, size);
    for (const [at, address] of [
      [mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, areas.descriptor],
      [mmio.VIRTIO_MMIO_QUEUE_DRIVER_LOW, areas.driver],
      [mmio.VIRTIO_MMIO_QUEUE_DEVICE_LOW, areas.device],
    ] as const) {
      this.put(at, Number(BigInt(address) & 0xffff_ffffn));
      this.put(at + 4, Number(BigInt(address) >> 32n));
    }
  }

  /** Programs a queue and makes it ready. */
  setUp(index = 0, size = 8, areas: { [Name in keyof Areas]: number | bigint } = SPLIT_AREAS): void {
    this.program(index, size, areas);
    this.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
  }

  /** A live device with queue 0 of 8 ready. */
  live(layout: "split" | "packed" = "split", more: readonly string[] = []): this {
    this.to(0x0b, [...featuresOf(layout), ...more]);
    this.setUp(0, 8, areasOf(layout));
    this.put(mmio.VIRTIO_MMIO_STATUS, 0x0f);
    expect([this.get(mmio.VIRTIO_MMIO_QUEUE_READY), this.codes()]).toEqual([1, []]);
    this.serve(); // at DRIVER_OK a device looks at its queues without being notified
    return this;
  }

  /** Makes the first `count` descriptors of a fresh ring available, each a chain, 16 readable bytes. */
  offer(layout: "split" | "packed", count: number, size = 8, areas: Areas = areasOf(layout)): void {
    for (let i = 0; i < count; i++) {
      const buffer = { addr: 0x8000 + 16 * i, len: 16 };
      if (layout === "packed")
        new RawPacked(this.memory, size, areas).desc(i, { ...buffer, id: i, flags: 0x80 });
      else {
        const ring = new RawSplit(this.memory, size, areas);
        ring.desc(i, buffer);
        ring.setAvailRing(i, i);
        ring.availIdx = i + 1;
      }
    }
  }

  /** Whether the device has used the first `count` descriptors of a ring, and no more. */
  used(layout: "split" | "packed", count: number, size = 8, areas: Areas = areasOf(layout)): boolean {
    if (layout === "split") return new RawSplit(this.memory, size, areas).usedIdx === count;
    const ring = new RawPacked(this.memory, size, areas);
    const done = Array.from({ length: size }, (_, i) => (ring.flags(i) & 0x8080) === 0x8080);
    return done.every((isUsed, i) => isUsed === i < count);
  }

  /** Lets the device serve all that it can. */
  serve(): void {
    while (this.device.process() === "more");
  }

  /** Not a byte outside guest RAM and the core's state was changed. */
  expectCanary(): void {
    for (const bytes of this.outside()) {
      if (Buffer.compare(bytes, untouched.subarray(0, bytes.length)) !== 0)
        throw new Error(
          `a byte outside: ${bytes.findIndex((byte) => byte !== CANARY)} behind ${bytes.byteOffset}`,
        );
    }
  }
}

const untouched = new Uint8Array(GUEST).fill(CANARY);
