/**
 * The ring core, slower by a known share: busy work in a copy of the release module, as much as calibrating says. What
 * measures must see it.
 */
import { embeddedBytes } from "../src/core/module";
import { insertAtStart } from "./counters/insert";
import { ratioOf } from "./result";
import type { RingAdapter } from "./ring";
import { WasmRing } from "./rings/wasm";
import type { Cell } from "./suites";
import { type SweepOptions, sweep } from "./sweep";

const BUSY = /^wasm-(split|packed) \(busy (\d+)\)$/;
/** Turns of busy work from which on what one of them costs is plain. */
const MANY = 1000;
/**
 * How often a share is calibrated, by how many processes of each figure, and how much more work than asked for is
 * measured next: a small share alone would drown in what processes differ by.
 */
const STEPS = [
  { processes: 3, times: 5 },
  { processes: 9, times: 1 },
  { processes: 16, times: 1 },
] as const;

/** The name of a ring with so many turns of busy work in each call of its device's verb. */
export function busyName(ring: string, turns: number): string {
  return `${ring} (busy ${turns})`;
}

/** The ring behind such a name; undefined: it is none. */
export function busyRing(name: string): RingAdapter | undefined {
  const [, layout, turns] = BUSY.exec(name) ?? [];
  if (layout !== "split" && layout !== "packed") return undefined;
  return {
    name,
    open: (workload) =>
      new WasmRing({ layout, inOrder: false }, workload, {
        module: new WebAssembly.Module(busyModule(layout, Number(turns))),
      }),
  };
}

/** The release module with that. */
export function busyModule(layout: "split" | "packed", turns: number): Uint8Array<ArrayBuffer> {
  return insertAtStart(embeddedBytes("release"), `${layout}DeviceRun`, busyWork(turns));
}

/**
 * So many turns of `x = rotl(x * 5, 7)` from the queue's address on, which is never 0 and so never becomes it, and
 * `q += x == 0`: what follows waits for them. Not a loop: whether its end is foreseen would be a step in what it costs.
 */
function busyWork(turns: number): number[] {
  const turn = [0x41, 5, 0x6c, 0x41, 7, 0x77]; // i32.const, i32.mul, i32.const, i32.rotl
  const use = [0x45, 0x20, 0, 0x6a, 0x21, 0]; // i32.eqz, local.get, i32.add, local.set
  return [0x20, 0, ...Array.from({ length: turns }, () => turn).flat(), ...use];
}

/**
 * Finds how many turns of busy work cost a share of a ring's time.
 *
 * @param ring wasm-split or wasm-packed
 * @param share 0.1: ten per cent
 */
export async function calibrate(
  ring: string,
  cell: Cell,
  share: number,
  run: SweepOptions["run"],
): Promise<number> {
  let turns = MANY;
  for (const { processes, times } of STEPS) {
    const busy = busyName(ring, turns);
    const suite = { name: "calibration", about: "", rings: [ring, busy], cells: [cell] };
    const [plain, slowed] = await sweep([suite], { processes, run });
    if (plain?.status !== "measured" || slowed?.status !== "measured")
      throw new Error(`can't calibrate: ${plain?.why ?? slowed?.why}`);
    const cost = Math.max(ratioOf(slowed, plain).median - 1, share / 2);
    turns = Math.max(1, Math.round((turns * share * times) / cost));
  }
  return turns;
}
