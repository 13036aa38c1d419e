/** A ring whose every access is counted, moved in whole laps so that nothing depends on where counting begins. */
import { BACKEND_SINK, EXCHANGE_NOTIFY } from "../../assembly/abi";
import type { Core } from "../../src/core/core";
import type { Workload } from "../ring";
import { WasmRing } from "../rings/wasm";
import type { WasmKind } from "../rings/wasm-queue";
import { areasOf, TABLE_ENTRIES } from "../workload";
import { Agents, type SharedRange } from "./agents";
import { countedExports } from "./counted-exports";
import { DEVICE, DRIVER } from "./sides";

/** How a round is made: verb by verb, with the device's batch as a flat list, that in one call, or all in one call. */
export type Way = "verbs" | "flat" | "exchange" | "round-trip";

/** A ring on an instrumented module, in the memory of an ordinary core. */
export class CountedRing extends WasmRing {
  readonly agents: Agents;
  /** Executed instructions by side. */
  readonly instructions: Record<number, number> = { [DRIVER]: 0, [DEVICE]: 0 };
  readonly #way: Way;

  constructor(module: WebAssembly.Module, kind: WasmKind, way: Way, workload: Workload) {
    let connected: ((agents: Agents) => void) | undefined;
    const counts: Record<number, number> = { [DRIVER]: 0, [DEVICE]: 0 };
    super(kind, workload, {}, (core) => {
      const { exports, connect } = countedExports(core, module, counts);
      connected = connect;
      return exports;
    });
    this.instructions = counts;
    this.#way = way;
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
      this.#round();
      this.agents.endRound();
    }
    return chains;
  }

  #round(): void {
    const { batch } = this.workload;
    const done =
      this.#way === "round-trip"
        ? this.exports.queueRoundTrip(this.q, this.q, BACKEND_SINK, batch)
        : this.submit() && this.serve() && this.reclaim();
    if (done !== batch) throw new Error(`${done} of ${batch} chains went round`);
  }

  protected override serve(): number {
    const { batch } = this.workload;
    if (this.#way === "flat") {
      const served = this.device.completeFlat(this.q, this.device.takeFlat(this.q, batch));
      this.notifications.used += this.device.publish(this.q);
      return served;
    }
    if (this.#way === "exchange") {
      const taken = this.exports.deviceExchange(this.q, 0, batch) & ~EXCHANGE_NOTIFY;
      const result = this.exports.deviceExchange(this.q, taken, batch);
      this.notifications.used += result === EXCHANGE_NOTIFY ? 1 : 0;
      return taken;
    }
    return super.serve();
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
