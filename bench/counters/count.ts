/** Counts what the ring core does for a chain, exactly: the release module, instrumented, on whole laps of the ring. */
import { embeddedBytes } from "../../src/core/module";
import type { WasmKind } from "../rings/wasm-queue";
import { SHAPES, type WorkloadChoice, workloadOf } from "../workload";
import type { SideSums } from "./agents";
import { CountedRing, type Way } from "./counted-ring";
import { instrument } from "./instrument";
import type { CounterRow, SideCounts } from "./row";
import { DEVICE, DRIVER } from "./sides";

const KINDS: readonly (readonly [ring: string, kind: WasmKind])[] = [
  ["wasm-split", { layout: "split", inOrder: false }],
  ["wasm-packed", { layout: "packed", inOrder: false }],
  ["wasm-packed-in-order", { layout: "packed", inOrder: true }],
];
const BATCHES = [1, 32, 256];
/** Laps of the ring before counting, and counted: even, since a free list turns round with each batch. */
const LAPS = 2;

const grid = (shapes: readonly string[], batches: readonly number[]): WorkloadChoice[] =>
  Object.values(SHAPES)
    .filter(({ name }) => shapes.includes(name))
    .flatMap((shape) => batches.map((batch) => ({ shape, batch })));

/** What is counted of each ring, way by way. */
const WAYS: readonly (readonly [way: Way, choices: readonly WorkloadChoice[]])[] = [
  [
    "verbs",
    [
      ...grid(["1", "3", "3-indirect"], BATCHES),
      ...grid(["1"], BATCHES).map((choice) => ({ ...choice, notify: "event-idx" as const })),
    ],
  ],
  ["flat", grid(["1", "3"], [1, 32])],
  ["exchange", grid(["1", "3"], [1, 32])],
  ["round-trip", grid(["1", "3"], [1, 32])],
];

/**
 * Every row that the golden file holds.
 *
 * @param bytes a module of the ring core, default the release one as it is shipped
 */
export function countAll(bytes: Uint8Array = embeddedBytes("release")): CounterRow[] {
  const module = new WebAssembly.Module(instrument(bytes));
  return WAYS.flatMap(([way, choices]) =>
    KINDS.flatMap(([ring, kind]) => choices.map((choice) => countOne(module, [ring, kind, way], choice))),
  );
}

/** One row: `module` is an instrumented one. */
function countOne(
  module: WebAssembly.Module,
  [ring, kind, way]: readonly [string, WasmKind, Way],
  choice: WorkloadChoice,
): CounterRow {
  const workload = workloadOf(choice);
  const counted = new CountedRing(module, kind, way, workload);
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
    ring: way === "verbs" ? ring : `${ring}-${way}`,
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
