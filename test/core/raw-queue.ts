/**
 * Both halves of one queue of 8 through the module's raw exports, with its records: for what the classes above the
 * core never let through, or never call.
 */
import { expect } from "vitest";
import * as abi from "../../assembly/abi";
import { type Core, loadCoreSync } from "../../src/core/core";
import { type DeviceVerbs, type DriverVerbs, deviceVerbs, driverVerbs } from "../../src/core/exports";

const AREAS = { split: [0x1000, 0x2000, 0x3000], packed: [0x1000, 0x2000, 0x2010] } as const;

export class RawQueue {
  static readonly SIZE = 8;
  static readonly BATCH = 8;
  /** Guest address of the slab of tables, of 16 entries each. */
  static readonly TABLES = 0x4000;

  readonly core: Core = loadCoreSync({ guestBytes: 65536 });
  readonly q: number;
  readonly driver: DriverVerbs;
  readonly device: DeviceVerbs;
  /** Indices of the records in `core.words()`. */
  readonly tokens: number;
  readonly submissions: number;
  readonly completions: number;
  readonly chains: number;
  /** Linear addresses of the logs, and their entries. */
  readonly logs: { readonly driver: number; readonly device: number; readonly entries: number };

  /** @param features FEATURE_… and OPTION_… of assembly/abi.ts; @param size 1…64, a power of two for split */
  constructor(layout: "split" | "packed", features = 0, size: number = RawQueue.SIZE) {
    const { BATCH, TABLES } = RawQueue;
    const batch = Math.max(BATCH, size);
    const shape = { roles: abi.ROLE_DRIVER | abi.ROLE_DEVICE, maxSize: size, batch, touched: true };
    const { q, layout: parts } = this.core.allocateQueue(shape);
    this.q = q;
    this.driver = driverVerbs(this.core.exports, layout);
    this.device = deviceVerbs(this.core.exports, layout);
    this.tokens = (q + parts.driverRecords + 8 * parts.batch) >>> 2;
    this.submissions = (q + parts.driverRecords + 16 * parts.batch) >>> 2;
    this.completions = (q + parts.deviceRecords) >>> 2;
    this.chains = this.completions + 2 * parts.batch;
    this.logs = { driver: q + parts.driverLog, device: q + parts.deviceLog, entries: parts.logEntries };
    const kind = layout === "packed" ? abi.LAYOUT_PACKED : abi.LAYOUT_SPLIT;
    const [descriptor, driver, device] = AREAS[layout];
    const { queueSetUp, queueSetTables } = this.core.exports;
    expect(queueSetUp(q, kind, size, features, 0, descriptor, 0, driver, 0, device, 0)).toBe(0);
    expect(queueSetTables(q, TABLES, 0, 16)).toBe(0);
  }

  /** Writes one submission and adds it. */
  add(readable: readonly Range[], writable: readonly Range[], indirect = false): number {
    const words = this.core.words();
    words.set(
      [readable.length, writable.length, indirect ? abi.SUBMISSION_INDIRECT : 0, 0],
      this.submissions,
    );
    for (const [i, [address, length]] of [...readable, ...writable].entries()) {
      words.set([address, 0, length, 0], this.submissions + 4 + 4 * i);
    }
    return this.driver.add(this.q, 1);
  }

  /** Adds, publishes and takes chains of 16 writable bytes; their device tokens. */
  offer(count: number): number[] {
    const words = this.core.words();
    for (let i = 0; i < count; i++) {
      words.set([0, 1, 0, 0, 0x8000 + 16 * i, 0, 16, 0], this.submissions + 8 * i);
    }
    expect(this.driver.add(this.q, count)).toBe(count);
    this.driver.publish(this.q);
    expect(this.device.take(this.q, count)).toBe(count);
    return Array.from({ length: count }, (_, i) => this.core.words()[this.chains + 10 * i] ?? 0);
  }
}

/** A piece of guest memory. */
export type Range = readonly [address: number, length: number];
