/**
 * A queue of the ring core as a benchmark has it: set up at the places of workload.ts, its submissions written, and
 * the proofs that are read out of its records behind the clock.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../../src/core/core";
import type { DeviceVerbs } from "../../src/core/exports";
import { seenOf, type Workload } from "../ring";
import { areasOf, TABLE_ENTRIES } from "../workload";

const CHAIN_WORDS = abi.CHAIN_RECORD_BYTES / 4;

/** What was negotiated, as far as the ring core asks. */
export interface WasmKind {
  readonly layout: "split" | "packed";
  readonly inOrder: boolean;
  /** One descriptor at a time, where the core would do four. */
  readonly scalar?: boolean;
}

/** One queue: its struct's linear address, and where its records are, in words. */
export interface Place {
  readonly q: number;
  readonly used: number;
  readonly tokens: number;
  readonly completions: number;
  readonly chains: number;
}

/**
 * Makes queue number `index` of a workload, and writes the submissions where `add` reads them.
 *
 * @param roles the halves that will be used: ROLE_DRIVER | ROLE_DEVICE of assembly/abi.ts
 */
export function makeQueue(
  core: Core,
  kind: WasmKind,
  workload: Workload,
  index: number,
  roles: number,
): Place {
  const { queueSize: size, notify, submissions } = workload;
  const { q, layout: parts } = core.allocateQueue({ roles, maxSize: size, batch: workload.batch });
  const layout = kind.layout === "packed" ? abi.LAYOUT_PACKED : abi.LAYOUT_SPLIT;
  const features =
    abi.FEATURE_INDIRECT |
    (kind.inOrder ? abi.FEATURE_IN_ORDER : 0) |
    (kind.scalar ? abi.OPTION_SCALAR : 0) |
    (notify === "event-idx" ? abi.FEATURE_EVENT_IDX : 0);
  const { descriptor, driver, device, tables } = areasOf(size, index);
  const { queueSetUp, queueSetTables } = core.exports;
  expectZero(queueSetUp(q, layout, size, features, 0, descriptor, 0, driver, 0, device, 0));
  const used = (q + parts.driverRecords) >>> 2;
  const completions = (q + parts.deviceRecords) >>> 2;
  if (roles & abi.ROLE_DRIVER) {
    expectZero(queueSetTables(q, tables, 0, TABLE_ENTRIES));
    core.words().set(submissions, used + 4 * parts.batch);
  }
  return {
    q,
    used,
    tokens: used + 2 * parts.batch,
    completions,
    chains: completions + 2 * parts.batch,
  };
}

/** Takes and uses a batch with length 0, unpublished: the chains, and the sum of `seenOf` over what was given. */
export function takeAsWitness(
  core: Core,
  device: DeviceVerbs,
  { q, completions, chains }: Place,
  batch: number,
): { readonly taken: number; readonly seen: number } {
  const words = core.words();
  const guest = core.translate(0, 1);
  const taken = device.take(q, batch);
  let seen = 0;
  for (let i = 0, chain = chains; i < taken; i++) {
    const readable = words[chain + 1] as number;
    const segments = readable + (words[chain + 2] as number);
    words[completions + 2 * i] = words[chain] as number;
    words[completions + 2 * i + 1] = 0;
    chain += CHAIN_WORDS;
    for (let s = 0; s < segments; s++, chain += 2) {
      seen += seenOf((words[chain] as number) - guest, words[chain + 1] as number, s >= readable);
    }
  }
  device.completeBatch(q, taken);
  return { taken, seen: seen >>> 0 };
}

/** Sum of the lengths of the batch that came back last; throws if its tokens aren't those of the batch added last. */
export function usedLengthsOf(core: Core, { used, tokens }: Place, batch: number): number {
  const words = core.words();
  let lengths = 0;
  for (let i = 0; i < batch; i++) {
    if (words[used + 2 * i] !== words[tokens + i]) throw new Error("another token came back");
    lengths += words[used + 2 * i + 1] as number;
  }
  return lengths;
}

function expectZero(code: number): void {
  if (code !== 0) throw new Error(`the queue was refused: ${code}`);
}
