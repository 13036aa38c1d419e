/**
 * The ring core, slower by a known share: busy work in a copy of the release module, as much as calibrating says. What
 * measures must see it.
 */
import { embeddedBytes } from "../src/core/module";
import { insertAtStart } from "./counters/insert";
import { s32, u32 } from "./counters/wasm-reader";
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
  return insertAtStart(embeddedBytes("release"), `${layout}DeviceRun`, (local) => busyWork(local, turns));
}

function busyWork(local: number, turns: number): number[] {
  const at = u32(local);
  const count = [0x41, ...s32(turns), 0x21, ...at]; // i32.const, local.set
  const down = [0x20, ...at, 0x41, 1, 0x6b, 0x22, ...at]; // local.get, i32.const 1, i32.sub, local.tee
  return [...count, 0x03, 0x40, ...down, 0x0d, 0, 0x0b]; // loop, br_if, end
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
