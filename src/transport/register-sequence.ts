/**
 * Accesses that belong together: a selector, and the register behind it (§4.2.2). Over a bus that answers at once a
 * sequence is over when the call returns; over one that answers later the next sequence waits for it, since it would
 * move the selector.
 */
import type { Awaitable } from "../driver/port";

/** The steps of one sequence: yields what the bus answers, and goes on with the value. */
export type Sequence<T> = Generator<Awaitable<number> | Awaitable<void>, T, number>;

/** Runs the sequences of one bus, one after another. */
export class RegisterSequences {
  /** Settles when the sequence that was run last is over; undefined while the bus is free. Never rejects. */
  #last: Promise<void> | undefined;

  /** Runs a sequence, at once if the bus is free. */
  run<T>(sequence: Sequence<T>): Awaitable<T> {
    const result =
      this.#last === undefined ? runSequence(sequence) : this.#last.then(() => runSequence(sequence));
    if (!(result instanceof Promise)) return result;
    const over = () => {
      if (this.#last === last) this.#last = undefined;
    };
    const last: Promise<void> = result.then(over, over);
    this.#last = last;
    return result;
  }
}

/**
 * Runs a sequence that uses no selector, whatever else is under way.
 *
 * @param answer what the sequence's first step is started with
 */
export function runSequence<T>(sequence: Sequence<T>, answer = 0): Awaitable<T> {
  for (let last = answer; ; ) {
    const step = sequence.next(last);
    if (step.done) return step.value;
    const { value } = step;
    if (value instanceof Promise) return value.then((later) => runSequence(sequence, later ?? 0));
    last = value ?? 0;
  }
}
