/** The stacks: one for each kind of ring, and copies of the same bytes without any, as the floor. */
import type { Workload } from "../ring";
import { openBlk } from "./blk";
import { openNet } from "./net";
import { requestBytes, type Stack, type StackAdapter } from "./stack";

const SPLIT = ["VERSION_1", "EVENT_IDX"];
const PACKED = [...SPLIT, "RING_PACKED"];
const IN_ORDER = [...PACKED, "IN_ORDER"];

const adapter = (name: string, offer: readonly string[]): StackAdapter => ({
  name,
  openStack: (workload) => (workload.device === "net" ? openNet(offer, workload) : openBlk(offer, workload)),
});

export const STACKS: readonly StackAdapter[] = [
  { name: "copy", openStack: (workload) => Promise.resolve(new Copies(workload)) },
  adapter("stack-split", SPLIT),
  adapter("stack-packed", PACKED),
  adapter("stack-packed-in-order", IN_ORDER),
];

/** Each request is a copy of its bytes: two for a frame, which goes there and back. */
class Copies implements Stack {
  readonly #from: Uint8Array[];
  readonly #to: Uint8Array[];
  readonly #times: number;

  constructor(workload: Workload) {
    const make = () => Array.from({ length: workload.batch }, () => new Uint8Array(requestBytes(workload)));
    this.#from = make();
    this.#to = make();
    this.#times = workload.device === "net" ? 2 : 1;
  }

  round(): void {
    for (let time = 0; time < this.#times; time++)
      for (const [i, from] of this.#from.entries()) this.#to[i]?.set(from);
  }

  prove(): void {}
}
