/**
 * The driver of two workers: keeps the ring as full as whole batches make it, and takes back what was used, as
 * the guest of Linux's ringtest does. Only that is timed; one more batch behind the clock is the proof.
 */
import { type DriverVerbs, driverVerbs } from "../../src/core/exports";
import { now } from "../clock";
import { usedLengthsOf } from "../rings/wasm-queue";
import { type Idle, idleOf, Spinning } from "./idle";
import { type Half, type Meeting, openHalf, WORD } from "./meeting";

export class SharedDriver {
  readonly #meeting: Meeting;
  readonly #half: Half;
  readonly #verbs: DriverVerbs;
  readonly #idle: Idle;
  /** Never asks for a notification: for the phases that are not timed. */
  readonly #spinning: Spinning;
  #runs = 0;

  constructor(meeting: Meeting) {
    this.#meeting = meeting;
    this.#half = openHalf(meeting, "driver");
    this.#verbs = driverVerbs(this.#half.core.exports, meeting.kind.layout);
    this.#spinning = new Spinning(meeting.words);
    const { q } = this.#half.place;
    const { arm, disarm, hasUsed } = this.#verbs;
    this.#idle = idleOf(meeting, "driver", {
      arm: () => arm(q, 0),
      disarm: () => disarm(q),
      hasWork: () => hasUsed(q),
    });
  }

  /**
   * Moves chains to the device and back.
   *
   * @returns nanoseconds, and the sum of the used lengths of one batch
   */
  run(chains: number): { readonly ns: number; readonly used: number } {
    this.#runs++;
    while (Atomics.load(this.#meeting.words, WORD.deviceRun) !== this.#runs) this.#spinning.wait();
    const start = now();
    this.#exchange(chains);
    const ns = now() - start;
    return { ns, used: this.#prove() };
  }

  #exchange(chains: number): void {
    const { batch, queueSize, shape } = this.#meeting.workload;
    const descriptors = shape.indirect ? 1 : shape.readable.length + shape.writable.length;
    const room = Math.floor(queueSize / descriptors) - batch;
    const { q } = this.#half.place;
    const idle = this.#idle;
    let started = 0;
    let back = 0;
    while (back < chains) {
      const hasRoom = started < chains && started - back <= room;
      if (hasRoom) {
        this.#submit(idle);
        started += batch;
      }
      const taken = this.#verbs.takeUsed(q, batch);
      if (taken < 0) throw new Error(`takeUsed: ${taken}`);
      back += taken;
      if (taken === 0 && !hasRoom) idle.wait();
    }
    if (back !== chains) throw new Error(`${back} chains came back, not ${chains}`);
  }

  #submit(idle: Idle): void {
    const { batch } = this.#meeting.workload;
    const { q } = this.#half.place;
    if (this.#verbs.add(q, batch) !== batch) throw new Error("the ring was full");
    idle.notify(this.#verbs.publish(q));
  }

  #prove(): number {
    const { batch } = this.#meeting.workload;
    const { core, place } = this.#half;
    this.#submit(this.#spinning);
    for (;;) {
      const taken = this.#verbs.takeUsed(place.q, batch);
      if (taken === batch) return usedLengthsOf(core, place, batch);
      if (taken !== 0) throw new Error(`takeUsed: ${taken} of a batch of ${batch}`);
      this.#spinning.wait();
    }
  }
}
