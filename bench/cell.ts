/**
 * One cell of the table: one layout, one shape of chain, one batch, all rings. A fresh process runs each cell,
 * because two rings compiled in one process differ by luck for as long as it lives.
 */
import { measure } from "./measure";
import { NoRing } from "./none";
import { PlainPacked } from "./plain-packed";
import { PlainSplit } from "./plain-split";
import { WasmRing } from "./wasm";
import { SHAPES } from "./workload";

export type Layout = "split" | "packed";

/** Nanoseconds per chain. `wasm` and `js`: a sink in the ring; the others: JavaScript reads and completes records. */
export interface CellResult {
  readonly none: number;
  readonly wasm: number;
  readonly js: number;
  readonly wasmRecords: number;
  readonly jsRecords: number;
}

/**
 * @param shape index into SHAPES
 * @param batch chains per crossing, 1…256
 */
export function runCell(layout: Layout, shape: number, batch: number): CellResult {
  const chain = SHAPES[shape];
  if (!chain) throw new Error(`no shape ${shape}`);
  const Plain = layout === "packed" ? PlainPacked : PlainSplit;
  const pair = (takesRecords: boolean) =>
    measure([
      new WasmRing(layout, chain, batch, takesRecords),
      new Plain(chain, batch, takesRecords),
      new NoRing(chain, batch),
    ]) as [number, number, number];
  const [wasm, js, none] = pair(false);
  const [wasmRecords, jsRecords] = pair(true);
  return { none, wasm, js, wasmRecords, jsRecords };
}
