/** Counts what the ring core does for a chain, exactly: the release module, instrumented, on whole laps of the ring. */
import type { Core } from "../../src/core/core";
import type { CoreExports } from "../../src/core/exports";
import { embeddedBytes } from "../../src/core/module";
import type { Workload } from "../ring";
import { WasmRing } from "../rings/wasm";
import type { WasmKind } from "../rings/wasm-queue";
import { areasOf, SHAPES, TABLE_ENTRIES, workloadOf } from "../workload";
import { Agents, type SharedRange, type SideSums } from "./agents";
import { DEVICE, DRIVER, type InstrumentOptions, instrument, sideOf } from "./instrument";
import type { CounterRow, SideCounts } from "./row";

const KINDS: readonly (readonly [ring: string, kind: WasmKind])[] = [
  ["wasm-split", { layout: "split", inOrder: false }],
  ["wasm-packed", { layout: "packed", inOrder: false }],
  ["wasm-packed-in-order", { layout: "packed", inOrder: true }],
];
const BATCHES = [1, 32, 256];
/** Laps of the ring before counting, and counted: even, since a free list turns round with each batch. */
const LAPS = 2;

/** Every row that the golden file holds. */
export function countAll(options: InstrumentOptions = {}): CounterRow[] {
  const module = new WebAssembly.Module(instrument(embeddedBytes("release"), options));
  const workloads = [
    ...Object.values(SHAPES).flatMap((shape) => BATCHES.map((batch) => workloadOf({ shape, batch }))),
    ...BATCHES.map((batch) =>
      workloadOf({ shape: SHAPES["1"] as Workload["shape"], batch, notify: "event-idx" }),
    ),
  ];
  return KINDS.flatMap(([ring, kind]) => workloads.map((workload) => countOne(module, ring, kind, workload)));
}

/** One row: `module` is an instrumented one. */
function countOne(module: WebAssembly.Module, ring: string, kind: WasmKind, workload: Workload): CounterRow {
  const counted = new CountedRing(module, kind, workload);
  counted.lap(LAPS);
  counted.start();
  const chains = counted.lap(LAPS);
  const per = (count: number) => Math.round((count / chains) * 1e4) / 1e4;
  const { agents } = counted;
  const side = (which: number): SideCounts => {
    const { loads, stores, lines } = agents.sums[which] as SideSums;
    const instructions = per(counted.instructions[which] as number);
    return { instructions, loads: per(loads), stores: per(stores), lines: per(lines) };
  };
  return {
    ring,
    chain: workload.shape.name,
    batch: workload.batch,
    notify: workload.notify,
    driver: side(DRIVER),
    device: side(DEVICE),
    transfers: per(agents.transfers),
    pciReads: per(agents.pciReads),
    pciWrites: per(agents.pciWrites),
    availableNotifications: per(counted.notifications.available),
    usedNotifications: per(counted.notifications.used),
  };
}

/** A ring on an instrumented module, in the memory of an ordinary core. */
class CountedRing extends WasmRing {
  readonly agents: Agents;
  /** Executed instructions by side. */
  readonly instructions: Record<number, number> = { [DRIVER]: 0, [DEVICE]: 0 };

  constructor(module: WebAssembly.Module, kind: WasmKind, workload: Workload) {
    let connected: ((agents: Agents) => void) | undefined;
    const counts: Record<number, number> = { [DRIVER]: 0, [DEVICE]: 0 };
    super(kind, workload, {}, (core) => {
      const { exports, connect } = countedExports(core, module, counts);
      connected = connect;
      return exports;
    });
    this.instructions = counts;
    this.agents = new Agents(sharedRanges(this.core, workload));
    connected?.(this.agents);
  }

  /** Moves as many chains as make so many laps of the ring, and at least two batches; gives their number. */
  lap(laps: number): number {
    const { batch, queueSize, shape } = this.workload;
    const descriptors = shape.indirect ? 1 : shape.readable.length + shape.writable.length;
    // Whole laps in descriptors and in chains, whole batches: the least common multiple of them all.
    const chains = laps * lcm(lcm(queueSize, batch), lcm(queueSize, descriptors) / descriptors);
    for (let done = 0; done < chains; done += batch) {
      this.submit();
      this.serve();
      this.reclaim();
      this.agents.endRound();
    }
    return chains;
  }

  start(): void {
    this.agents.reset();
    Object.assign(this.instructions, { [DRIVER]: 0, [DEVICE]: 0 });
    Object.assign(this.notifications, { available: 0, used: 0 });
  }
}

function lcm(a: number, b: number): number {
  const gcd = (x: number, y: number): number => (y === 0 ? x : gcd(y, x % y));
  return (a / gcd(a, b)) * b;
}

/** What both sides reach: the three areas and the indirect tables; descriptors are read and written whole. */
function sharedRanges(core: Core, { queueSize }: Workload): SharedRange[] {
  const { descriptor, driver, device, tables } = areasOf(queueSize, 0);
  const range = (from: number, to: number, unit: number): SharedRange => {
    const linear = core.translate(from, to - from);
    return { from: linear, to: linear + to - from, unit };
  };
  return [
    range(descriptor, driver, 16),
    range(driver, device, 2),
    range(device, tables, 2),
    range(tables, tables + queueSize * TABLE_ENTRIES * 16, 16),
  ];
}

/** The exports of an instrumented module, each on its side; nobody is told before `connect`. */
function countedExports(core: Core, module: WebAssembly.Module, counts: Record<number, number>) {
  let agents: Agents | undefined;
  let before = 0n;
  const sides: number[] = [];
  const side = (): number => {
    const current = sides.at(-1);
    if (current === undefined || current === 0) throw new Error("an access that belongs to no side");
    return current;
  };
  /** Books what was executed since the last change of sides. */
  const book = () => {
    const now = (instance.exports.instructions as WebAssembly.Global).value as bigint;
    const current = sides.at(-1);
    if (agents !== undefined && current) counts[current] = (counts[current] as number) + Number(now - before);
    before = now;
  };
  const enter = (next: number) => {
    book();
    sides.push(next);
  };
  const leave = () => {
    book();
    sides.pop();
  };
  const count = {
    load: (address: number, offset: number, bytes: number) =>
      agents?.load(side(), (address >>> 0) + offset, bytes),
    store: (address: number, offset: number, bytes: number) =>
      agents?.store(side(), (address >>> 0) + offset, bytes),
    copy: (target: number, source: number, bytes: number) => {
      agents?.load(side(), source >>> 0, bytes >>> 0);
      agents?.store(side(), target >>> 0, bytes >>> 0);
    },
    fill: (target: number, bytes: number) => agents?.store(side(), target >>> 0, bytes >>> 0),
    enter,
    leave,
  };
  const instance = new WebAssembly.Instance(module, { env: { memory: core.memory }, count });
  const exports = Object.fromEntries(
    Object.entries(instance.exports).map(([name, value]) => {
      if (typeof value !== "function") return [name, value];
      const call = value as (...args: number[]) => number;
      return [
        name,
        (...args: number[]) => {
          enter(sideOf(name));
          const result = call(...args);
          leave();
          return result;
        },
      ];
    }),
  ) as unknown as CoreExports;
  return {
    exports,
    connect: (watching: Agents) => {
      agents = watching;
    },
  };
}
