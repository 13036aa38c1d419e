/**
 * What an honest queue must do, told from outside: chains arrive whole and in order, come back once with the length they
 * were completed with, notifications are sent exactly when the other side's wish lies in what was published, and a caller's
 * mistake is named. It keeps absolute positions that never wrap, and knows nothing of rings. A program stops using it
 * once guest memory was tampered with.
 */
import type { BufferRequest, ResultName, Segment, TakenChain, UsedBuffer } from "../model/ring";
import { slotOf } from "../model/tokens";
import type { Answer, Operation } from "./operations";
import type { Setup } from "./setups";

interface Entry {
  readonly driverToken: number;
  readonly request: BufferRequest;
  /** Descriptors in the ring. */
  readonly descriptors: number;
  written: number;
}

/** When one side wants to be notified: for anything, for nothing, or when an absolute position is passed. */
type Wish = "always" | "never" | number;

export class Ledger {
  readonly #setup: Setup;
  /** Positions repeat after this many: 65536 indices, or two laps of a packed ring (§2.8.1). */
  readonly #modulus: number;
  #added: Entry[] = [];
  #published: Entry[] = [];
  /** By slot of the device's token, in the order taken. */
  #taken = new Map<number, { token: number; entry: Entry }>();
  /** All that was taken since, completed or not: undo goes back through these, and no further than to one completed. */
  #takenLast: { token: number; entry: Entry }[] = [];
  /** Slots of the driver's tokens. */
  #inFlight = new Set<number>();
  #completed: Entry[] = [];
  #used: Entry[] = [];
  /** Absolute positions: the next chain to add, to take, to complete, to take back; and those last published. */
  #addAt = 0;
  #publishedAt = 0;
  #takeAt = 0;
  #completeAt = 0;
  #completedAt = 0;
  #takeBackAt = 0;
  #driverWish: Wish;
  #deviceWish: Wish;

  constructor(setup: Setup, isFresh = false) {
    this.#setup = setup;
    const { layout, size, start, features } = setup;
    this.#modulus = layout === "split" ? 65536 : 2 * size;
    if (!isFresh) {
      const packedStart = (start.slot ?? 0) + (start.wrap === 0 ? size : 0);
      this.#jump(layout === "split" ? (start.idx ?? 0) : packedStart);
    }
    // Zeroed memory: flags that enable, or with EVENT_IDX in split an event word that names index 0.
    const wish = layout === "split" && features.eventIdx ? 0 : "always";
    this.#driverWish = wish;
    this.#deviceWish = wish;
  }

  #jump(at: number): void {
    this.#addAt = at;
    this.#publishedAt = at;
    this.#takeAt = at;
    this.#completeAt = at;
    this.#completedAt = at;
    this.#takeBackAt = at;
  }

  /** Notes an operation and what it answered; throws when no honest queue answers so. */
  check(operation: Operation, answer: Answer): void {
    switch (operation.name) {
      case "add":
        this.#onAdd(operation.chains, answer);
        break;
      case "driver publish":
        this.#onDriverPublish(answer);
        break;
      case "take":
        this.#onTake(operation.max, answer.chains ?? []);
        break;
      case "undo":
        this.#onUndo(operation.token, answer.error);
        break;
      case "complete":
        this.#onComplete(operation.token, operation.written, answer.error);
        break;
      case "device publish":
        this.#onDevicePublish(answer);
        break;
      case "take used":
        this.#onTakeUsed(operation.max, answer.used ?? []);
        break;
      case "driver arm":
        this.#driverWish = this.#armed(this.#takeBackAt + operation.ahead);
        expect(answer.flag === this.#used.length > 0, "arm says whether something is used already");
        break;
      case "device arm":
        this.#deviceWish = this.#armed(this.#takeAt);
        expect(answer.flag === this.#published.length > 0, "arm says whether something is available already");
        break;
      case "driver disarm":
        this.#driverWish = this.#disarmed(this.#driverWish);
        break;
      case "device disarm":
        this.#deviceWish = this.#disarmed(this.#deviceWish);
        break;
      case "has used":
        expect(answer.flag === this.#used.length > 0, "has used");
        break;
      case "has available":
        expect(answer.flag === this.#published.length > 0, "has available");
        break;
      case "driver reset":
      case "device reset":
        break; // the program starts a new ledger
    }
  }

  /** Places that a chain takes in the order of positions: split counts chains, packed descriptors. */
  #places(entry: Entry): number {
    return this.#setup.layout === "split" ? 1 : entry.descriptors;
  }

  #armed(at: number): Wish {
    return this.#setup.features.eventIdx ? at : "always";
  }

  /** In split, EVENT_IDX leaves nothing to disable with: the flags stay 0 (§2.7.7.1). */
  #disarmed(wish: Wish): Wish {
    return this.#setup.layout === "split" && this.#setup.features.eventIdx ? wish : "never";
  }

  #isWished(wish: Wish, from: number, to: number): boolean {
    if (typeof wish === "string") {
      return wish === "always" && to > from;
    }
    const ahead = (((wish - from) % this.#modulus) + this.#modulus) % this.#modulus;
    return ahead < to - from;
  }

  #onAdd(chains: readonly BufferRequest[], { added = 0, tokens = [] }: Answer): void {
    expect(added === tokens.length && added <= chains.length, "one token for each chain added");
    tokens.forEach((driverToken, i) => {
      const request = chains[i] ?? { readable: [], writable: [] };
      const segments = request.readable.length + request.writable.length;
      const entry = { driverToken, request, descriptors: request.indirect ? 1 : segments, written: 0 };
      expect(
        driverToken >= 0x10000 && driverToken <= 0x7fff_ffff && !this.#inFlight.has(slotOf(driverToken)),
        "a token is positive and its slot was free",
      );
      this.#inFlight.add(slotOf(driverToken));
      this.#added.push(entry);
      this.#addAt += this.#places(entry);
    });
  }

  #onDriverPublish({ flag, kickValue }: Answer): void {
    this.#published.push(...this.#added);
    this.#added = [];
    const isWished = this.#isWished(this.#deviceWish, this.#publishedAt, this.#addAt);
    this.#publishedAt = this.#addAt;
    expect(flag === isWished, `an available buffer notification is ${isWished ? "wanted" : "not wanted"}`);
    if (flag) {
      const { layout, size, features, index } = this.#setup;
      const at = this.#addAt % this.#modulus;
      const packedWord = (at % size) | (at < size ? 0x8000 : 0);
      const word = layout === "split" ? at : packedWord;
      expect(kickValue === index + (features.notificationData ? word * 65536 : 0), "kick value (§2.9)");
    }
  }

  #onTake(max: number, chains: readonly TakenChain[]): void {
    expect(chains.length === Math.min(max, this.#published.length), "as many chains as there are");
    for (const chain of chains) {
      const entry = this.#published.shift();
      if (entry === undefined || chain.error !== undefined) {
        throw new Error(`an honest chain is delivered with ${chain.error}`);
      }
      expect(
        sameSegments(chain.readable, entry.request.readable) &&
          sameSegments(chain.writable, entry.request.writable),
        "a chain arrives whole and in order",
      );
      expect(Number(chain.writableBytes) === bytesOf(entry.request.writable), "writable bytes");
      expect(Number(chain.readableBytes) === bytesOf(entry.request.readable), "readable bytes");
      expect(!this.#taken.has(slotOf(chain.token)), "the slot of a device token was free");
      const held = { token: chain.token, entry };
      this.#taken.set(slotOf(chain.token), held);
      this.#takenLast.push(held);
      this.#takeAt += this.#places(entry);
    }
  }

  #onUndo(token: number, error: ResultName | undefined): void {
    const held = this.#taken.get(slotOf(token));
    if (held?.token !== token) {
      expect(error === (held ? "STALE_TOKEN" : "COMPLETE_UNKNOWN"), `undo answers ${error}`);
      return;
    }
    const isNewest = this.#takenLast.at(-1) === held;
    expect(error === (isNewest ? undefined : "BAD_ARGUMENT"), `undo answers ${error}`);
    if (isNewest) {
      this.#takenLast.pop();
      this.#taken.delete(slotOf(token));
      this.#published.unshift(held.entry);
      this.#takeAt -= this.#places(held.entry);
    }
  }

  #onComplete(token: number, written: number, error: ResultName | undefined): void {
    const held = this.#taken.get(slotOf(token));
    if (held?.token !== token) {
      expect(error === (held ? "STALE_TOKEN" : "COMPLETE_UNKNOWN"), `complete answers ${error}`);
      return;
    }
    const [oldest] = this.#taken.values();
    const isTooLong = written > bytesOf(held.entry.request.writable);
    const isOutOfTurn = this.#setup.features.inOrder && held !== oldest;
    const expected = isTooLong ? "COMPLETE_LEN_OVERFLOW" : isOutOfTurn ? "IN_ORDER_VIOLATION" : undefined;
    expect(error === expected, `complete answers ${error}`);
    if (error === undefined) {
      this.#taken.delete(slotOf(token));
      held.entry.written = written;
      this.#completed.push(held.entry);
      this.#completeAt += this.#places(held.entry);
    }
  }

  #onDevicePublish({ flag }: Answer): void {
    this.#used.push(...this.#completed);
    this.#completed = [];
    const isWished = this.#isWished(this.#driverWish, this.#completedAt, this.#completeAt);
    this.#completedAt = this.#completeAt;
    expect(flag === isWished, `a used buffer notification is ${isWished ? "wanted" : "not wanted"}`);
  }

  #onTakeUsed(max: number, used: readonly UsedBuffer[]): void {
    expect(used.length === Math.min(max, this.#used.length), "as many buffers as were used");
    for (const { token, length } of used) {
      const entry = this.#used.shift();
      expect(entry?.driverToken === token && entry.written === length, "a buffer comes back with its length");
      this.#takeBackAt += entry === undefined ? 0 : this.#places(entry);
      this.#inFlight.delete(slotOf(token));
    }
  }
}

function expect(holds: boolean, what: string): void {
  if (!holds) {
    throw new Error(`not what an honest queue does: ${what}`);
  }
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((bytes, { length }) => bytes + length, 0);
}

/** The device sees every segment but the empty ones. */
function sameSegments(seen: readonly Segment[], offered: readonly Segment[]): boolean {
  const expected = offered.filter(({ length }) => length > 0);
  return (
    seen.length === expected.length &&
    seen.every(({ address, length }, i) => address === expected[i]?.address && length === expected[i]?.length)
  );
}
