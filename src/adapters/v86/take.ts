/**
 * The chains of one take of a queue, which become requests one by one. They stand in the queue's flat list until it takes
 * again; what is not replied to by then is copied. Those that are replied to in their order, as almost all are, are used
 * together.
 */
import * as abi from "../../../assembly/abi";
import type { Core } from "../../core/core";
import type { Chain } from "../../virtqueue/chain";
import type { DeviceQueue } from "../../virtqueue/device-queue";
import { type Origin, PoppedRequest } from "./request";

// Words of an entry of the flat list, and of all of it.
const LENGTH = abi.FLAT_LENGTH >>> 2;
const TOKEN = abi.FLAT_TOKEN >>> 2;
const WRITTEN = abi.FLAT_WRITTEN >>> 2;
const ENTRY = abi.FLAT_SEGMENT_BYTES >>> 2;
/** Takes the mark of a writable segment away. */
const PLAIN = ~abi.FLAT_WRITABLE;

/** More than any chain that a model is given. */
export const NO_CHAIN = 0x40000000;

/** One take, from its first request to its last reply. */
export class Take implements Origin {
  readonly core: Core;
  readonly queue: DeviceQueue;
  /** Chains that became requests. */
  private made = 0;
  /** The next one: its bytes, and the words of its first entry and of the chain's behind it. */
  private readable = 0;
  private writable = 0;
  private at: number;
  private following: number;
  private replied = 0;
  /** The first so many chains were replied to in their order and wait in the list, while it is open for that. */
  private row = 0;
  private isOpen = true;
  private kept: readonly Chain[] | undefined = undefined;

  /** @param queue that has taken into its flat list */
  constructor(core: Core, queue: DeviceQueue) {
    this.core = core;
    this.queue = queue;
    this.at = queue.flat;
    this.following = queue.flat;
    this.look();
  }

  /** Whether there is no next chain. */
  get isEmpty(): boolean {
    return this.core.words()[this.at + TOKEN] === 0;
  }

  /** Readable bytes of the next chain; {@link NO_CHAIN} after the last one. */
  get nextReadable(): number {
    return this.readable;
  }

  /** The next chain as a request. */
  next(): PoppedRequest {
    const request = new PoppedRequest(this, this.made++, this.at, this.readable, this.writable);
    this.look();
    return request;
  }

  /** Looks at the chain behind the one that was next. */
  private look(): void {
    const words = this.core.words();
    let at = this.following;
    this.at = at;
    let mark = words[at + TOKEN] ?? 0;
    const token = mark & PLAIN;
    if (token === 0) {
      this.readable = NO_CHAIN;
      return;
    }
    let readable = 0;
    let writable = 0;
    do {
      if (mark === token) readable += words[at + LENGTH] ?? 0;
      else writable += words[at + LENGTH] ?? 0;
      at += ENTRY;
      mark = words[at + TOKEN] ?? 0;
    } while ((mark & PLAIN) === token);
    this.readable = readable;
    this.writable = writable;
    this.following = at;
  }

  /** As {@link Origin} has it. */
  replyInRow(index: number, at: number, written: number): boolean {
    if (index !== this.row || !this.isOpen) return false;
    this.replied++;
    this.row++;
    this.core.words()[at + WRITTEN] = written;
    return true;
  }

  /** As {@link Origin} has it. */
  replyLate(index: number, at: number, written: number): void {
    this.replied++;
    this.queue.completeLater(this.token(index, at), written);
  }

  /** As {@link Origin} has it. */
  chain(index: number, at: number): Chain | undefined {
    return this.kept === undefined ? this.queue.chainAt(at) : this.kept[index];
  }

  /** Uses what was replied to in row; the driver sees it with the next publish. */
  use(): void {
    if (this.row === 0 || !this.isOpen) return;
    this.isOpen = false;
    this.queue.completeBatch(this.row);
  }

  /** Before the queue takes again. */
  end(): void {
    this.use();
    this.isOpen = false;
    if (this.replied === this.made) return;
    const kept: Chain[] = [];
    for (let at = this.queue.flat; kept.length < this.made; ) {
      const chain = this.queue.chainAt(at);
      kept.push(chain);
      at += ENTRY * Math.max(chain.readableCount + chain.writableCount, 1);
    }
    this.kept = kept;
  }

  /** Gives the chains back that are no requests yet, as if they had not been taken. */
  undo(): void {
    this.use();
    const given = this.made;
    const tokens: number[] = [];
    for (; !this.isEmpty; this.next()) tokens.push(this.token(this.made, this.at));
    for (const token of tokens.reverse()) this.queue.undo(token);
    this.made = given;
  }

  private token(index: number, at: number): number {
    return this.kept?.[index]?.token ?? (this.core.words()[at + TOKEN] ?? 0) & PLAIN;
  }
}
