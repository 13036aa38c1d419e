/**
 * What the driver half does alike in both layouts: which chains it refuses, tokens, taking buffers back one by one or, with
 * IN_ORDER, a batch at a time (§2.7.9, §2.8.8), and standing still once the device broke a rule. What it writes and reads in
 * the ring is in split-driver.ts and packed-driver.ts.
 */
import { VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import { GuestRam } from "./guest-ram";
import type {
  AddResult,
  BufferRequest,
  DriverHalf,
  DriverState,
  ResultName,
  RingFeatures,
  RingOptions,
  RingPolicies,
  Segment,
  UsedBuffer,
} from "./ring";
import { Tokens } from "./tokens";
import { CHAIN_BYTES_MAX } from "./walk";

/** A buffer that was added and has not come back. */
export interface AddedBuffer {
  readonly slot: number;
  /** Descriptors that it takes in the ring. */
  readonly count: number;
  readonly writableBytes: number;
}

/** A segment with its direction, in chain order: readable first (§2.7.4.2, §2.8.16). */
export interface Element extends Segment {
  readonly isWritable: boolean;
}

/** A used element that passed every check: the buffer (the last of the batch with IN_ORDER) and its length. */
export interface UsedElement {
  readonly slot: number;
  readonly length: number;
}

export abstract class ReferenceDriver implements DriverHalf {
  protected readonly size: number;
  protected readonly ram: GuestRam;
  protected readonly features: RingFeatures;
  protected readonly policies: RingPolicies;
  protected readonly tables: { readonly address: number; readonly entries: number } | undefined;
  /** By slot, oldest first: what is in flight, from `add` until it is taken back. */
  protected readonly inFlight = new Map<number, AddedBuffer>();
  protected error: ResultName | undefined;
  readonly #index: number;
  readonly #tokens: Tokens;
  /** With IN_ORDER: the end of a batch that was read but not wholly given out. */
  #batch: UsedElement | undefined;

  constructor(options: RingOptions) {
    this.size = options.size;
    this.ram = new GuestRam(options.memory, options.regions);
    this.features = options.features;
    this.policies = options.options ?? {};
    this.tables = options.areas.tables;
    this.#index = options.index ?? 0;
    this.#tokens = new Tokens(options.size);
  }

  /** Free descriptors of the ring. */
  protected abstract free(): number;
  /** Writes a chain that fits, unexposed; the slot it is known by. */
  protected abstract write(elements: readonly Element[], indirect: boolean): AddedBuffer;
  /** Exposes what was written; true: notify. Nothing to expose: false. */
  protected abstract expose(): boolean;
  /** The next used element, checked; undefined: none. Consumes nothing. */
  protected abstract nextUsed(): UsedElement | ResultName | undefined;
  /** Moves on over a buffer that comes back, and frees its descriptors. */
  protected abstract reclaim(buffer: AddedBuffer): void;
  protected abstract positions(): { available: number; used: number };
  /** Bits 16-31 of the notification (§2.9): next_off and next_wrap. */
  protected abstract nextWord(): number;
  protected abstract enable(ahead: number): void;
  protected abstract disable(): void;
  protected abstract isUsed(): boolean;
  protected abstract restart(): void;

  add(chains: readonly BufferRequest[]): AddResult {
    if (this.error !== undefined) {
      return { added: 0, tokens: [], error: "QUEUE_BROKEN" };
    }
    const tokens: number[] = [];
    for (const chain of chains) {
      const elements = elementsOf(chain);
      const indirect = chain.indirect ?? false;
      // A chain that is wrong is refused whether there is room for it or not.
      const refused = this.#shapeError(elements.length, indirect) ?? this.#memoryError(elements);
      if (refused !== undefined) {
        return { added: tokens.length, tokens, error: refused };
      }
      if ((indirect ? 1 : elements.length) > this.free()) {
        break; // full: a result, not an error
      }
      const buffer = this.write(elements, indirect);
      this.inFlight.set(buffer.slot, buffer);
      tokens.push(this.#tokens.of(buffer.slot));
    }
    return { added: tokens.length, tokens };
  }

  publish(): { notify: boolean; kickValue: number } {
    const notify = this.error === undefined && this.expose();
    const next = this.features.notificationData ? this.nextWord() : 0;
    return { notify, kickValue: (this.#index | (next << 16)) >>> 0 };
  }

  takeUsed(max: number): { used: UsedBuffer[]; error?: ResultName } {
    const used: UsedBuffer[] = [];
    if (this.error !== undefined) {
      return { used, error: "QUEUE_BROKEN" };
    }
    while (used.length < max) {
      const element = this.#batch ?? this.nextUsed();
      if (element === undefined) {
        break;
      }
      if (typeof element === "string") {
        if (used.length > 0) {
          break; // the good ones first: the next call meets this one again
        }
        this.error = element;
        return { used, error: element };
      }
      used.push(this.#takeBack(element));
    }
    return { used };
  }

  /** Takes back the buffer of the element; with IN_ORDER the oldest one, until it is the element's. */
  #takeBack(element: UsedElement): UsedBuffer {
    const [oldest] = this.inFlight.values();
    const buffer = this.features.inOrder ? oldest : this.inFlight.get(element.slot);
    if (buffer === undefined) {
      throw new Error(`slot ${element.slot} is not in flight`);
    }
    const { slot } = buffer;
    const isElement = slot === element.slot;
    this.#batch = isElement ? undefined : element;
    const taken = {
      token: this.#tokens.of(slot),
      length: isElement ? element.length : buffer.writableBytes, // skipped: completely used (§2.7.9, §2.8.8)
    };
    this.inFlight.delete(slot);
    this.#tokens.release(slot);
    this.reclaim(buffer);
    return taken;
  }

  arm(ahead: number): boolean {
    if (this.error !== undefined) {
      return false;
    }
    this.enable(ahead);
    return this.hasUsed(); // §2.7.14, §2.8.22: look again after enabling
  }

  disarm(): void {
    if (this.error === undefined) {
      this.disable();
    }
  }

  hasUsed(): boolean {
    return this.error === undefined && (this.#batch !== undefined || this.isUsed());
  }

  reset(): void {
    for (const slot of this.inFlight.keys()) {
      this.#tokens.release(slot);
    }
    this.inFlight.clear();
    this.#batch = undefined;
    this.error = undefined;
    this.restart();
  }

  state(): DriverState {
    const { available, used } = this.positions();
    return { available, used, free: this.free(), inFlight: this.inFlight.size, error: this.error };
  }

  /** With IN_ORDER: how many buffers an element with this slot stands for. */
  protected batchLength(slot: number): number {
    return [...this.inFlight.keys()].indexOf(slot) + 1;
  }

  /** The length of a used element, or what is wrong with it. */
  protected usedLength(length: number, { writableBytes }: AddedBuffer): number | ResultName {
    if (length <= writableBytes) {
      return length;
    }
    return this.policies.clampUsedLength ? writableBytes : "USED_LEN_OVERFLOW";
  }

  /** Address of the indirect table of a slot. */
  protected tableAddress(slot: number): number {
    const { address, entries } = this.tables ?? { address: 0, entries: 0 };
    return address + slot * entries * VIRTQ_DESC_SIZE;
  }

  #shapeError(count: number, indirect: boolean): ResultName | undefined {
    if (count === 0) {
      return "BAD_ARGUMENT"; // a buffer has at least one element
    }
    if (count > this.size) {
      return "CHAIN_TOO_LONG"; // §2.7.5.3.1, §2.8.16: counted with a table too
    }
    if (indirect) {
      if (!this.features.indirect) {
        return "INDIRECT_NOT_NEGOTIATED"; // §2.7.5.3.1, §2.8.19
      }
      return count <= (this.tables?.entries ?? 0) ? undefined : "BAD_ARGUMENT";
    }
    return undefined;
  }

  #memoryError(elements: readonly Element[]): ResultName | undefined {
    let bytes = 0;
    let writableBytes = 0;
    for (const { address, length, isWritable } of elements) {
      if (!isAddress(address) || !isLength(length)) {
        return "BAD_ARGUMENT";
      }
      if (length > 0 && !this.ram.contains(BigInt(address), length, isWritable)) {
        return "BAD_ARGUMENT";
      }
      bytes += length;
      writableBytes += isWritable ? length : 0;
      if (bytes > CHAIN_BYTES_MAX) {
        return "CHAIN_BYTES_OVERFLOW"; // §2.7.5
      }
    }
    return writableBytes < CHAIN_BYTES_MAX ? undefined : "BAD_ARGUMENT"; // a used length has 32 bits
  }
}

/** Bytes that the device may write. */
export function writableBytesOf(elements: readonly Element[]): number {
  return elements.reduce((bytes, { isWritable, length }) => bytes + (isWritable ? length : 0), 0);
}

function elementsOf({ readable, writable }: BufferRequest): Element[] {
  return [
    ...readable.map(({ address, length }) => ({ address, length, isWritable: false })),
    ...writable.map(({ address, length }) => ({ address, length, isWritable: true })),
  ];
}

function isAddress(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isLength(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32;
}
