/**
 * A device on guest memory without a transport, for rigs that put one in front of it: raw rings to make buffers available
 * in, and a canary around guest RAM and the core's state.
 */
import { type Core, loadCoreSync } from "../../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import type { VirtioError } from "../../src/errors";
import type { ControlEvent } from "../../src/negotiation/control-event";
import { TestModel, type TestModelOptions } from "../control-rig";
import { type Areas, RawMemory, RawPacked, RawSplit } from "../raw-ring";

const PAGE = 65536;
const STATE = { base: PAGE, size: 32 * PAGE };
const GUEST = 0x300000;
const CANARY = 0xa5;

/** What a bench is made of. */
export interface DeviceBenchOptions {
  readonly model?: TestModelOptions;
  readonly device?: Omit<DeviceOptions, "onEvent" | "onViolation">;
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

/** The device and what was heard of it. */
export class DeviceBench {
  readonly core: Core;
  readonly model: TestModel;
  readonly device: VirtioDevice;
  readonly memory: RawMemory;
  readonly violations: VirtioError[] = [];
  private readonly outside: () => Uint8Array[];

  constructor(options: DeviceBenchOptions = {}) {
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
  }

  /** Codes of the violations since the last call. */
  codes(): string[] {
    return this.violations.splice(0).map(({ code }) => code);
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
