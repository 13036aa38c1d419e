/**
 * The generator of property programs: which operation comes next, with which arguments, from a seeded random source and
 * from what the queue answered so far. Biased to the edges: full and empty rings, indices about to wrap, tokens that are
 * stale, lengths one too long. A program is made of phases, since an even mixture would never leave the middle.
 */
import { BufferGenerator } from "./buffers";
import type { Rarity } from "./coverage";
import type { Answer, Operation, OperationName } from "./operations";
import { MOVES, PHASES, PROBES } from "./phases";
import type { Random } from "./random";
import type { Setup } from "./setups";

interface HeldToken {
  readonly token: number;
  readonly writableBytes: number;
}

export class ProgramGenerator {
  readonly #random: Random;
  readonly #setup: Setup;
  readonly #buffers: BufferGenerator;
  /** Chains in the device's hands, oldest first; and some tokens of the past. */
  #held: HeldToken[] = [];
  #stale: number[] = [];
  /** Chains on their way: added, published, (held,) completed, used; only as true as the queue is honest. */
  #added = 0;
  #published = 0;
  #completed = 0;
  #used = 0;
  /** The last chain found no room. */
  #isFull = false;
  #phaseLeft = 0;
  #isFirst = true;
  #names: readonly OperationName[] = [];
  /** What comes first in a phase, the next one last. */
  #script: Operation[] = [];

  constructor(random: Random, setup: Setup) {
    this.#random = random;
    this.#setup = setup;
    this.#buffers = new BufferGenerator(random, setup);
  }

  /**
   * The next operation.
   *
   * @param rarity how seldom the queue comes where it is: the rarer, the more often anything at all is tried
   */
  next(rarity: Rarity): Operation {
    const random = this.#random;
    const scripted = this.#script.pop();
    if (scripted !== undefined) {
      return scripted;
    }
    if (rarity === "rare" && random.oneIn(5)) {
      this.#script = PROBES.map((name) => this.#withArguments(name));
    }
    if (rarity !== "usual" && (rarity === "rare" ? !random.oneIn(3) : random.oneIn(10))) {
      return this.#withArguments(random.pick(MOVES));
    }
    if (random.oneIn(250)) {
      return { name: random.oneIn(2) ? "driver reset" : "device reset" };
    }
    if (this.#phaseLeft === 0) {
      this.#startPhase();
      return this.next(rarity);
    }
    this.#phaseLeft--;
    let name = random.pick(this.#names);
    for (let tries = 0; tries < 4 && this.#isIdle(name); tries++) {
      name = random.pick(this.#names);
    }
    return this.#withArguments(name);
  }

  /** Has the operation nothing to do, as far as an honest queue goes? */
  #isIdle(name: OperationName): boolean {
    switch (name) {
      case "add":
        return this.#isFull;
      case "driver publish":
        return this.#added <= 0;
      case "take":
        return this.#published <= 0;
      case "complete":
      case "undo":
        return this.#held.length === 0;
      case "device publish":
        return this.#completed <= 0;
      case "take used":
        return this.#used <= 0;
      default:
        return false;
    }
  }

  #startPhase(): void {
    const random = this.#random;
    this.#names = random.pick(PHASES);
    this.#phaseLeft = random.between(8, 20 + Math.min(60, this.#setup.size));
    this.#buffers.shape = random.oneIn(2) ? "single" : "mixed";
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    switch (isFirst ? 0 : random.below(4)) {
      case 0:
      case 1: // everything into the device's hands
        this.#script = [
          {
            name: "add",
            chains: Array.from({ length: Math.min(this.#setup.size, 12) }, () => this.#buffers.next()),
          },
          { name: "driver publish" },
          { name: "take", max: this.#max(64) },
        ];
        break;
      case 2: // everything back to the driver
        this.#script = [
          ...this.#held.map(({ token }) => ({ name: "complete", token, written: 0 }) as const),
          { name: "device publish" },
          { name: "take used", max: 64 },
        ];
        break;
      default:
        this.#script = [];
    }
    this.#script.reverse();
  }

  #withArguments(name: OperationName): Operation {
    const random = this.#random;
    const { size } = this.#setup;
    switch (name) {
      case "add": {
        const count = random.pick([1, 1, 1, 2, 3, Math.min(size, 8)]);
        return { name, chains: Array.from({ length: count }, () => this.#buffers.next()) };
      }
      case "take":
      case "take used":
        return { name, max: this.#max() };
      case "driver arm":
        return { name, ahead: random.pick([0, 0, 0, 1, size - 1, size, random.below(size)]) };
      case "undo":
        return { name, token: this.#token(this.#held.at(-1)) };
      case "complete":
        return this.#complete();
      default:
        return { name };
    }
  }

  /** Most to take at once; one of a long queue, whose chains may be longer than what an implementation hands out together. */
  #max(usual = this.#random.pick([1, 1, 2, 3, 8, 64])): number {
    return this.#setup.size > 300 ? 1 : usual;
  }

  /** The given token mostly, else another one, or one that is wrong. */
  #token(usual: HeldToken | undefined): number {
    const random = this.#random;
    const token = usual?.token ?? random.pick([0x10000, ...this.#stale]);
    if (!random.oneIn(12)) {
      return token;
    }
    return random.pick([
      random.pick([token, ...this.#stale]),
      random.pick([token, ...this.#held.map((held) => held.token)]),
      (token + 0x10000) & 0x7fff_ffff,
      token + 1,
      0,
      random.u32() & 0x7fff_ffff,
    ]);
  }

  #complete(): Operation {
    const random = this.#random;
    const isOldest = random.oneIn(2) || (this.#setup.features.inOrder && !random.oneIn(12));
    const chosen = this.#held.length === 0 ? undefined : isOldest ? this.#held[0] : random.pick(this.#held);
    const total = chosen?.writableBytes ?? 0;
    const written = random.oneIn(3)
      ? random.pick([0, Math.min(1, total), Math.max(0, total - 1), random.below(total + 1)])
      : random.oneIn(20)
        ? total + 1
        : total;
    return { name: "complete", token: this.#token(chosen), written: Math.min(written, 2 ** 32 - 1) };
  }

  /** Learns from what the queue answered. */
  note(operation: Operation, answer: Answer): void {
    switch (operation.name) {
      case "add":
        this.#added += answer.added ?? 0;
        this.#isFull = answer.error === undefined && answer.added !== operation.chains.length;
        break;
      case "driver publish":
        this.#published += this.#added;
        this.#added = 0;
        break;
      case "take":
        for (const { token, writableBytes } of answer.chains ?? []) {
          this.#held.push({ token, writableBytes: Number(writableBytes) });
        }
        this.#published -= answer.chains?.length ?? 0;
        break;
      case "undo":
      case "complete":
        if (answer.error === undefined) {
          this.#forget(operation.token);
          this.#published += operation.name === "undo" ? 1 : 0;
          this.#completed += operation.name === "undo" ? 0 : 1;
        }
        break;
      case "device publish":
        this.#used += this.#completed;
        this.#completed = 0;
        break;
      case "take used":
        this.#used -= answer.used?.length ?? 0;
        this.#isFull = false;
        break;
      case "driver reset":
        this.#added = 0;
        this.#used = 0;
        this.#isFull = false;
        break;
      case "device reset":
        this.#held.forEach(({ token }) => void this.#remember(token));
        this.#held = [];
        this.#completed = 0;
        this.#published = 0;
        break;
    }
  }

  #forget(token: number): void {
    this.#held = this.#held.filter((held) => held.token !== token);
    this.#remember(token);
  }

  #remember(token: number): void {
    if (this.#stale.length < 6) {
      this.#stale.push(token);
    } else {
      this.#stale[this.#random.below(6)] = token;
    }
  }
}
