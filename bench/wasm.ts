/**
 * The ring core through its raw exports: one crossing per verb and batch, nothing of DriverQueue or DeviceQueue.
 * Guest RAM and the placement of the areas are those of the JavaScript rings, so both leave the same ring bytes.
 */
import * as abi from "../assembly/abi";
import { loadCoreSync } from "../src/core/core";
import { type DeviceVerbs, type DriverVerbs, deviceVerbs, driverVerbs } from "../src/core/exports";
import { emptyTally, type Ring } from "./ring";
import { AREAS, GUEST_BYTES, queueSize, type Shape, submissions, TABLE_ENTRIES } from "./workload";

const CHAIN_WORDS = abi.CHAIN_RECORD_BYTES / 4;

export class WasmRing implements Ring {
  readonly name: string;
  readonly tally = emptyTally();
  readonly #batch: number;
  readonly #takesRecords: boolean;
  readonly #driver: DriverVerbs;
  readonly #device: DeviceVerbs;
  readonly #q: number;
  readonly #words: Uint32Array;
  readonly #ring: Uint8Array;
  // Word offsets of the records.
  readonly #used: number;
  readonly #tokens: number;
  readonly #completions: number;
  readonly #chains: number;

  /**
   * @param takesRecords true: JavaScript reads a batch of chain records and writes a batch of completions;
   *   false: the sink inside WASM serves each chain
   */
  constructor(layout: "split" | "packed", shape: Shape, batch: number, takesRecords: boolean) {
    this.name = takesRecords ? "wasm records" : "wasm";
    this.#batch = batch;
    this.#takesRecords = takesRecords;
    const size = queueSize(shape, batch);
    const core = loadCoreSync({ guestBytes: GUEST_BYTES });
    this.#driver = driverVerbs(core.exports, layout);
    this.#device = deviceVerbs(core.exports, layout);
    const { q, layout: parts } = core.allocateQueue({
      roles: abi.ROLE_DRIVER | abi.ROLE_DEVICE,
      maxSize: size,
      batch,
    });
    this.#q = q;
    const kind = layout === "packed" ? abi.LAYOUT_PACKED : abi.LAYOUT_SPLIT;
    const { descriptor, driver, device, tables } = AREAS;
    const { queueSetUp, queueSetTables } = core.exports;
    expectZero(queueSetUp(q, kind, size, abi.FEATURE_INDIRECT, 0, descriptor, 0, driver, 0, device, 0));
    expectZero(queueSetTables(q, tables, 0, TABLE_ENTRIES));
    this.#words = core.words();
    this.#ring = core.view(descriptor, tables - descriptor);
    this.#used = (q + parts.driverRecords) >>> 2;
    this.#tokens = this.#used + 2 * parts.batch;
    this.#completions = (q + parts.deviceRecords) >>> 2;
    this.#chains = this.#completions + 2 * parts.batch;
    this.#words.set(submissions(shape, batch), this.#used + 4 * parts.batch);
  }

  run(chains: number): void {
    const batch = this.#batch;
    const q = this.#q;
    const words = this.#words;
    const tally = this.tally;
    const driver = this.#driver;
    const device = this.#device;
    for (let done = 0; done < chains; done += batch) {
      if (driver.add(q, batch) !== batch) throw new Error("the ring is full");
      driver.publish(q);
      if (this.#takesRecords) this.#takeAndComplete(batch);
      else if (device.run(q, abi.BACKEND_SINK, batch) !== batch) throw new Error("a chain was not served");
      device.publish(q);
      const used = driver.takeUsed(q, batch);
      for (let i = 0; i < used; i++) {
        const record = this.#used + 2 * i;
        if (words[record] !== words[this.#tokens + i]) throw new Error("another token came back");
        tally.used += words[record + 1] as number;
      }
      tally.chains += used;
    }
  }

  image(): Uint8Array {
    return this.#ring.slice();
  }

  #takeAndComplete(batch: number): void {
    const words = this.#words;
    const taken = this.#device.take(this.#q, batch);
    let chain = this.#chains;
    for (let i = 0, completion = this.#completions; i < taken; i++, completion += 2) {
      const writable = words[chain + 6] as number;
      this.tally.readable += words[chain + 4] as number;
      this.tally.writable += writable;
      words[completion] = words[chain] as number;
      words[completion + 1] = writable;
      chain += CHAIN_WORDS + 2 * ((words[chain + 1] as number) + (words[chain + 2] as number));
    }
    if (this.#device.completeBatch(this.#q, taken) !== taken) throw new Error("a chain was not completed");
  }
}

function expectZero(code: number): void {
  if (code !== 0) throw new Error(`the queue was refused: ${code}`);
}
