/**
 * The device of two workers: takes, uses and publishes up to a batch at a time, as long as there is something. Behind
 * the driver's clock it serves one more batch as a device that tells what it was given.
 */
import * as abi from "../../assembly/abi";
import { type DeviceVerbs, deviceVerbs } from "../../src/core/exports";
import { takeAsWitness } from "../rings/wasm-queue";
import { type Idle, idleOf, Spinning } from "./idle";
import { type Half, type Meeting, openHalf, WORD } from "./meeting";

export class SharedDevice {
  readonly #meeting: Meeting;
  readonly #half: Half;
  readonly #verbs: DeviceVerbs;
  readonly #idle: Idle;
  readonly #spinning: Spinning;

  constructor(meeting: Meeting) {
    this.#meeting = meeting;
    this.#half = openHalf(meeting, "device");
    this.#verbs = deviceVerbs(this.#half.core.exports, meeting.kind.layout);
    this.#spinning = new Spinning(meeting.words);
    const { q } = this.#half.place;
    const { arm, disarm, hasAvailable } = this.#verbs;
    this.#idle = idleOf(meeting, "device", {
      arm: () => arm(q),
      disarm: () => disarm(q),
      hasWork: () => hasAvailable(q),
    });
  }

  /**
   * Serves `chains` chains, and the driver's proof.
   *
   * @returns the sum of `seenOf` over one batch
   */
  run(chains: number): { readonly seen: number } {
    const { words } = this.#meeting;
    Atomics.add(words, WORD.deviceRun, 1);
    this.#exchange(chains);
    return { seen: this.#witness() };
  }

  #exchange(chains: number): void {
    const { batch } = this.#meeting.workload;
    const { q } = this.#half.place;
    let left = chains;
    while (left > 0) {
      // Never more than is left: what comes then is the proof.
      const served = this.#verbs.run(q, abi.BACKEND_SINK, Math.min(batch, left));
      if (served < 0) throw new Error(`run: ${served}`);
      left -= served;
      if (served > 0) this.#idle.notify(this.#verbs.publish(q));
      else this.#idle.wait();
    }
  }

  #witness(): number {
    const { batch } = this.#meeting.workload;
    const { core, place } = this.#half;
    while (this.#verbs.hasAvailable(place.q) === 0) this.#spinning.wait();
    const { taken, seen } = takeAsWitness(core, this.#verbs, place, batch);
    if (taken !== batch) throw new Error(`take: ${taken} of a batch of ${batch}`);
    this.#verbs.publish(place.q);
    return seen;
  }
}
