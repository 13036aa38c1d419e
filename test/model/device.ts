/**
 * What the device half does alike in both layouts: good chains before a bad one, standing still once the driver broke a
 * rule, tokens, undo in reverse order, and completing, with IN_ORDER in turn and in batches (§2.7.9, §2.8.8). How a chain is
 * found and a used element written is in split-device.ts and packed-device.ts.
 */
import { GuestRam } from "./guest-ram";
import type {
  DeviceHalf,
  DeviceState,
  ResultName,
  RingFeatures,
  RingOptions,
  RingPolicies,
  TakenChain,
} from "./ring";
import { slotOf, Tokens } from "./tokens";
import type { ChainWalk, TableRules } from "./walk";

/** A chain as it lies in the ring: not taken yet. */
export interface FoundChain {
  /** What the used element will carry: the head in split, the buffer id in packed. */
  readonly id: number;
  /** Descriptors that it takes in a packed ring; in split always 1, its entry in the available ring. */
  readonly count: number;
  readonly walk: ChainWalk;
  /** With `recover`: the rule that it breaks. It has no segments then. */
  readonly error?: ResultName;
}

/** A chain in the device's hands. */
export interface HeldChain extends FoundChain {
  readonly slot: number;
}

/** Used elements that wait to be written as one: the place of the first, and what the last one says. */
interface Batch {
  count: number;
  id: number;
  written: number;
}

export abstract class ReferenceDevice implements DeviceHalf {
  protected readonly size: number;
  protected readonly ram: GuestRam;
  protected readonly features: RingFeatures;
  protected readonly policies: RingPolicies;
  protected readonly tableRules: TableRules;
  /** By slot: what is taken and neither completed nor undone, oldest first. */
  protected readonly held = new Map<number, HeldChain>();
  /** Ring places taken by chains whose used elements the driver has not been shown yet. */
  protected outstanding = 0;
  protected error: ResultName | undefined;
  readonly #tokens: Tokens;
  /** Chains that `undo` may give back, the last one taken last: nothing after them was completed. */
  #undoable: HeldChain[] = [];
  /** With IN_ORDER: what was completed since the last used element. */
  #batch: Batch | undefined;
  /** Places whose used elements are complete and not yet exposed. */
  #pending = 0;

  constructor(options: RingOptions) {
    this.size = options.size;
    this.ram = new GuestRam(options.memory, options.regions);
    this.features = options.features;
    this.policies = options.options ?? {};
    this.tableRules = {
      size: options.size,
      negotiated: options.features.indirect ?? false,
      strictRing: this.policies.strictRing ?? false,
    };
    this.#tokens = new Tokens(options.size);
  }

  /** The next available chain; undefined: none; a code: nothing can be returned to the driver. Consumes nothing. */
  protected abstract find(): FoundChain | ResultName | undefined;
  /** Moves on over a chain that is taken, and gives it a slot. */
  protected abstract hold(chain: FoundChain): number;
  /** Moves back to a chain that is undone. */
  protected abstract giveBack(chain: HeldChain): void;
  /** The slot of a completed chain is free again. */
  protected abstract freeSlot(slot: number): void;
  /** Writes a used element for `count` ring places, unexposed, and moves on over them. */
  protected abstract writeUsed(id: number, written: number, count: number): void;
  /** Exposes used elements for `count` ring places; true: notify. */
  protected abstract expose(count: number): boolean;
  /** Position of the next chain, and of the next used element to write. */
  protected abstract positions(): { available: number; used: number };
  protected abstract enable(): void;
  protected abstract disable(): void;
  protected abstract isAvailable(): boolean;
  protected abstract restart(): void;
  /** A position of `positions()`, `count` places further on. */
  protected abstract further(position: number, count: number): number;

  take(max: number): { chains: TakenChain[]; error?: ResultName } {
    const chains: TakenChain[] = [];
    if (this.error !== undefined) {
      return { chains, error: "QUEUE_BROKEN" };
    }
    while (chains.length < max) {
      const found = this.find();
      if (found === undefined) {
        break;
      }
      if (typeof found === "string") {
        if (chains.length > 0) {
          break; // the good ones first: the next call meets this one again
        }
        this.error = found;
        return { chains, error: found };
      }
      chains.push(this.#take(found));
    }
    return { chains };
  }

  #take(found: FoundChain): TakenChain {
    const slot = this.hold(found);
    const chain = { ...found, slot };
    this.held.set(slot, chain);
    this.#undoable.push(chain);
    this.outstanding += found.count;
    const token = this.#tokens.of(slot);
    if (found.error !== undefined) {
      return {
        token,
        error: found.error,
        readable: [],
        writable: [],
        readableBytes: 0n,
        writableBytes: 0n,
      };
    }
    const { readable, writable, readableBytes, writableBytes } = found.walk;
    return {
      token,
      readable,
      writable,
      readableBytes: BigInt(readableBytes),
      writableBytes: BigInt(writableBytes),
    };
  }

  undo(token: number): ResultName | undefined {
    const chain = this.#chainOf(token);
    if (typeof chain === "string") {
      return chain;
    }
    if (this.#undoable.at(-1) !== chain) {
      return "BAD_ARGUMENT";
    }
    this.#undoable.pop();
    this.held.delete(chain.slot);
    this.#tokens.release(chain.slot);
    this.outstanding -= chain.count;
    this.giveBack(chain);
    return undefined;
  }

  complete(token: number, written: number): ResultName | undefined {
    const chain = this.#chainOf(token);
    if (typeof chain === "string") {
      return chain;
    }
    const writableBytes = chain.error === undefined ? chain.walk.writableBytes : 0;
    if (written > writableBytes) {
      return "COMPLETE_LEN_OVERFLOW"; // §2.7.8.2: never more than was written
    }
    const [oldest] = this.held.values();
    if (this.features.inOrder && chain !== oldest) {
      return "IN_ORDER_VIOLATION";
    }
    this.held.delete(chain.slot);
    this.#undoable.splice(0, this.#undoable.indexOf(chain) + 1);
    this.#tokens.release(chain.slot);
    this.freeSlot(chain.slot);
    this.#batch = { count: (this.#batch?.count ?? 0) + chain.count, id: chain.id, written };
    // A skipped buffer counts as completely used, so that only such a one may be skipped; a bad chain never is, because
    // nobody knows here what its driver believes to be writable.
    const maySkip = this.features.inOrder && chain.error === undefined && written === writableBytes;
    if (!maySkip) {
      this.#closeBatch();
    }
    return undefined;
  }

  /** One used element for the batch: the id of its last buffer, at the place of its first (§2.7.9, §2.8.8). */
  #closeBatch(): void {
    if (this.#batch !== undefined) {
      const { id, written, count } = this.#batch;
      this.writeUsed(id, written, count);
      this.#pending += count;
      this.#batch = undefined;
    }
  }

  publish(): boolean {
    if (this.error !== undefined) {
      return false;
    }
    this.#closeBatch();
    const count = this.#pending;
    this.#pending = 0;
    this.outstanding -= count;
    return count > 0 && this.expose(count);
  }

  arm(): boolean {
    if (this.error !== undefined) {
      return false;
    }
    this.enable();
    return this.isAvailable(); // §2.7.14, §2.8.22, seen from the other side: look again after enabling
  }

  disarm(): void {
    if (this.error === undefined) {
      this.disable();
    }
  }

  hasAvailable(): boolean {
    return this.error === undefined && this.isAvailable();
  }

  reset(): void {
    for (const slot of this.held.keys()) {
      this.#tokens.release(slot);
    }
    this.held.clear();
    this.outstanding = 0;
    this.error = undefined;
    this.#undoable = [];
    this.#batch = undefined;
    this.#pending = 0;
    this.restart();
  }

  state(): DeviceState {
    const { available, used } = this.positions();
    return {
      available,
      used: this.further(used, this.#batch?.count ?? 0),
      inFlight: this.held.size,
      error: this.error,
    };
  }

  /** The chain of a token that is in force. */
  #chainOf(token: number): HeldChain | ResultName {
    if (this.error !== undefined) {
      return "QUEUE_BROKEN";
    }
    const chain = this.held.get(slotOf(token));
    if (chain === undefined) {
      return "COMPLETE_UNKNOWN";
    }
    return this.#tokens.of(chain.slot) === token ? chain : "STALE_TOKEN";
  }
}
