/**
 * The ring core's whole trip in one crossing, `queueRoundTrip`: what WebAssembly costs where JavaScript has nothing to
 * do in between, as the C rings are measured. The same verbs, every check in them.
 */
import * as abi from "../../assembly/abi";
import type { RingAdapter, Workload } from "../ring";
import { WasmRing } from "./wasm";
import type { WasmKind } from "./wasm-queue";

const adapter = (name: string, kind: WasmKind): RingAdapter => ({
  name,
  refuses: ({ queues, notify, device }) =>
    queues > 1 || notify !== "off" || device !== "sink"
      ? "a loopback serves one queue, without notifications or payload"
      : undefined,
  open: (workload) => new WasmLoopback(kind, workload),
});

export const WASM_LOOPBACK_SPLIT = adapter("wasm-loopback-split", { layout: "split", inOrder: false });
export const WASM_LOOPBACK_PACKED = adapter("wasm-loopback-packed", { layout: "packed", inOrder: false });

class WasmLoopback extends WasmRing {
  readonly #trip: (driver: number, device: number, kind: number, chains: number) => number;
  readonly #queue: number;

  constructor(kind: WasmKind, workload: Workload) {
    super(kind, workload);
    this.#trip = this.exports.queueRoundTrip;
    this.#queue = this.q;
  }

  protected override round(batch: number): void {
    const came = this.#trip(this.#queue, this.#queue, abi.BACKEND_SINK, batch);
    if (came !== batch) throw new Error(`${came} of ${batch} chains came back`);
  }
}
