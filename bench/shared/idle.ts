/**
 * What a side does that has nothing to do: it looks again at once, or arms notifications, looks once more, and sleeps
 * until the other side rings. A bell is a counter outside the ring; whether it is rung is for the ring to decide.
 */
import { type Meeting, type Role, WORD } from "./meeting";

/** The other side has given up. */
export class Stopped extends Error {
  constructor() {
    super("the other side has stopped");
    this.name = "Stopped";
  }
}

/** What a side that sleeps needs of its half of the ring. */
export interface Suppression {
  /** Asks for notifications; 1: look again. */
  arm(): number;
  /** Asks for none. */
  disarm(): number;
  /** 1: there is work. */
  hasWork(): number;
}

/** A side's way to pass the time, and to wake the other. */
export interface Idle {
  /** Returns when there may be work. */
  wait(): void;
  /** Notifies the other side, if `wanted` is 1, as its publish says. */
  notify(wanted: number): void;
}

export class Spinning implements Idle {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  wait(): void {
    if (Atomics.load(this.#words, WORD.stopped) !== 0) throw new Stopped();
  }

  notify(): void {}
}

export class Sleeping implements Idle {
  readonly #words: Int32Array;
  readonly #role: Role;
  readonly #half: Suppression;
  readonly #patienceMs: number;
  readonly #own: number;
  readonly #other: number;

  /** @param patienceMs a sleep that nobody ended for so long is looked into */
  constructor(words: Int32Array, role: Role, half: Suppression, patienceMs = 10_000) {
    this.#patienceMs = patienceMs;
    this.#words = words;
    this.#role = role;
    this.#half = half;
    [this.#own, this.#other] =
      role === "driver" ? [WORD.driverBell, WORD.deviceBell] : [WORD.deviceBell, WORD.driverBell];
    half.disarm();
  }

  /** @throws Error when it slept on although there was work: a wake-up was lost */
  wait(): void {
    const heard = Atomics.load(this.#words, this.#own); // before arming: what rings from here on ends the sleep
    if (this.#half.arm() === 0) this.#sleep(heard);
    this.#half.disarm();
    if (Atomics.load(this.#words, WORD.stopped) !== 0) throw new Stopped();
  }

  notify(wanted: number): void {
    if (wanted === 1) ring(this.#words, this.#other);
  }

  #sleep(heard: number): void {
    if (Atomics.wait(this.#words, this.#own, heard, this.#patienceMs) !== "timed-out") return;
    if (Atomics.load(this.#words, this.#own) === heard && this.#half.hasWork() === 1) {
      throw new Error(
        `a wake-up was lost: the ${this.#role} slept for ${this.#patienceMs} ms although there was work`,
      );
    }
  }
}

/** The way of a side, as its workload has it: without notifications it spins. */
export function idleOf({ words, workload }: Meeting, role: Role, half: Suppression): Idle {
  return workload.notify === "off" ? new Spinning(words) : new Sleeping(words, role, half);
}

/** Makes both sides give up, asleep or not. */
export function stop(words: Int32Array): void {
  Atomics.store(words, WORD.stopped, 1);
  ring(words, WORD.driverBell);
  ring(words, WORD.deviceBell);
}

function ring(words: Int32Array, bell: number): void {
  Atomics.add(words, bell, 1);
  Atomics.notify(words, bell);
}
