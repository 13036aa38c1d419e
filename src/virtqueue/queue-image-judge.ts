/**
 * Whether a queue image may become a queue: an image may come from anywhere, and its checksum keeps out accidents alone.
 * Every number that the core uses as a slot is below the size, every list names each slot once, and the counts agree.
 */
import * as abi from "../../assembly/abi";
import { VirtioError } from "../errors";

/** The saved state of one half; JSON-safe. */
export interface QueueImage {
  readonly schema: "virtq.queue/1";
  readonly role: "driver" | "device";
  readonly layout: "split" | "packed";
  readonly index: number;
  readonly size: number;
  /** FEATURE_… and OPTION_… bits of assembly/abi.ts. */
  readonly features: number;
  /** The half's line: 16 words. */
  readonly line: readonly number[];
  /** size × { link, generation, count, id, writable }. */
  readonly shadow: readonly number[];
  /** Tokens in flight; of a device under IN_ORDER in the order of taking. */
  readonly inFlight: readonly number[];
  /** Completions that a device under IN_ORDER holds back: token and bytes written. */
  readonly held: readonly (readonly [number, number])[];
  /** FNV-1a over all the rest. */
  readonly checksum: number;
}

/** Values of one slot's shadow: link, generation, count, id, writable. */
export const ROW = 5;

const U16 = 0xffff;
/** One more than 2^32 marks a chain that is given back for its error (assembly/shadow.ts). */
const WRITABLE_MAX = 0x100000001;

/** One word of a half's line; `first` is where the line begins in the struct. */
export function field(line: readonly number[], offset: number, first: number): number {
  return line[(offset - first) >>> 2] ?? 0;
}

/** @throws VirtioError SNAPSHOT_INVALID */
export function invalid(message: string): never {
  throw new VirtioError("SNAPSHOT_INVALID", message);
}

interface Row {
  readonly link: number;
  readonly count: number;
  readonly id: number;
}

function rowAt(image: QueueImage, slot: number): Row {
  const [link = 0, , count = 0, id = 0] = image.shadow.slice(slot * ROW, slot * ROW + ROW);
  return { link, count, id };
}

/** Chains in flight and their descriptors; every row within its range. */
function census(image: QueueImage): { chains: number; descriptors: number } {
  let chains = 0;
  let descriptors = 0;
  for (let slot = 0; slot < image.size; slot++) {
    const [link = 0, generation = 0, count = 0, id = 0, writable = 0] = image.shadow.slice(
      slot * ROW,
      slot * ROW + ROW,
    );
    if (link > U16 || id > U16 || generation < 1 || generation > abi.GENERATION_MAX || count > image.size) {
      invalid(`shadow of slot ${slot}: generation ${generation}, count ${count} of ${image.size}`);
    }
    if (writable > WRITABLE_MAX) invalid(`shadow of slot ${slot}: ${writable} writable bytes`);
    if (!count) continue;
    chains++;
    descriptors += count;
  }
  return { chains, descriptors };
}

/** The line's numbers by offset, and its positions within the ring. */
function lineOf(image: QueueImage, first: number, slots: readonly number[], wraps: readonly number[]) {
  const get = (offset: number): number => field(image.line, offset, first);
  const bound = image.layout === "split" ? U16 + 1 : image.size;
  const high = image.line.find((value) => value > 0xffffffff);
  if (high !== undefined) invalid(`line word ${high} is wider than 32 bits`);
  for (const offset of slots)
    if (get(offset) >= bound) invalid(`position ${get(offset)} is not below ${bound}`);
  for (const offset of wraps) if (get(offset) > 1) invalid(`wrap counter ${get(offset)}`);
  return get;
}

function below(name: string, value: number, bound: number): void {
  if (value >= bound) invalid(`${name} ${value} is not below ${bound}`);
}

function same(what: string, counted: number, said: number): void {
  if (counted !== said) invalid(`${counted} ${what}, the line counts ${said}`);
}

/** A driver half: the free list or, with IN_ORDER, the run of what is in flight, must fit the counts. */
export function judgeDriver(image: QueueImage, inOrder: boolean): void {
  const slots = [abi.DRIVER_AVAIL, abi.DRIVER_USED];
  const get = lineOf(image, abi.DRIVER_STATE, slots, [abi.DRIVER_AVAIL_WRAP, abi.DRIVER_USED_WRAP]);
  const { chains, descriptors } = census(image);
  const split = image.layout === "split";
  const distance = (from: number): number => (get(abi.DRIVER_AVAIL) - get(from)) & U16;
  same("chains in flight", chains, split ? distance(abi.DRIVER_USED) : get(abi.DRIVER_IN_FLIGHT));
  same("free descriptors", image.size - descriptors, get(abi.DRIVER_FREE_COUNT));
  below("free head", get(abi.DRIVER_FREE_HEAD), image.size);
  below("oldest slot", get(abi.DRIVER_OLDEST), image.size);
  below("pending slot", get(abi.DRIVER_PENDING_SLOT), split ? U16 + 1 : image.size);
  below("pending flags", get(abi.DRIVER_PENDING_FLAGS), U16 + 1);
  const pending = split ? distance(abi.DRIVER_PENDING_SLOT) : get(abi.DRIVER_PENDING);
  below("pending count", pending, (split ? chains : descriptors) + 1);
  const end = get(abi.DRIVER_BATCH_END);
  if (end && (!inOrder || end > image.size || !rowAt(image, end - 1).count)) {
    invalid(`a batch that ends with slot ${end - 1}, which is not in flight`);
  }
  if (!split) {
    const lap = get(abi.DRIVER_AVAIL_WRAP) === get(abi.DRIVER_USED_WRAP) ? 0 : image.size;
    same(
      "descriptors between the positions",
      get(abi.DRIVER_AVAIL) - get(abi.DRIVER_USED) + lap,
      descriptors,
    );
  }
  if (inOrder) judgeRun(image, get, chains);
  else judgeFreeList(image, get(abi.DRIVER_FREE_HEAD), image.size - (split ? descriptors : chains));
}

/** With IN_ORDER chains follow each other from the oldest one to the next free slot. */
function judgeRun(image: QueueImage, get: (offset: number) => number, chains: number): void {
  const split = image.layout === "split";
  let slot = get(abi.DRIVER_OLDEST);
  for (let i = 0; i < chains; i++) {
    const { count, link } = rowAt(image, slot);
    if (!count) invalid(`slot ${slot} is not in flight among ${chains} in order`);
    if (split) same("as the turn of a chain", link, (get(abi.DRIVER_USED) + i) & U16);
    slot = (slot + (split ? count : 1)) % image.size;
  }
  same("as the slot behind the last chain", slot, get(abi.DRIVER_FREE_HEAD));
}

/** Follows a list of free slots: each is there, free, and named once. */
function freeSlots(image: QueueImage, head: number, length: number): Set<number> {
  const seen = new Set<number>();
  for (let slot = head, i = 0; i < length; i++) slot = visit(image, seen, slot);
  return seen;
}

function visit(image: QueueImage, seen: Set<number>, slot: number): number {
  if (slot >= image.size || seen.has(slot))
    invalid(`slot ${slot} of ${image.size} is listed twice, or not there`);
  const { link, count } = rowAt(image, slot);
  if (count) invalid(`slot ${slot} is in flight and free`);
  seen.add(slot);
  return link;
}

/** The free list, and in split the members of each chain behind its head, down to the last one that it names. */
function judgeFreeList(image: QueueImage, head: number, length: number): void {
  const seen = freeSlots(image, head, length);
  for (let slot = 0; slot < image.size; slot++) {
    const { link, count, id } = rowAt(image, slot);
    if (!count) continue;
    let last = slot;
    if (image.layout === "split") {
      for (let i = 1, next = link; i < count; i++) {
        last = next;
        next = visit(image, seen, next);
      }
    }
    if (id !== last) invalid(`the chain of slot ${slot} ends with ${last}, its shadow says ${id}`);
  }
}

/** A device half: what is in flight, completed and not yet shown must fit the ring, and slots the free list. */
export function judgeDevice(image: QueueImage, inOrder: boolean): void {
  const slots = [abi.DEVICE_AVAIL, abi.DEVICE_USED];
  const get = lineOf(image, abi.DEVICE_STATE, slots, [abi.DEVICE_AVAIL_WRAP, abi.DEVICE_USED_WRAP]);
  const { chains, descriptors } = census(image);
  const open = get(abi.DEVICE_BATCH_COUNT);
  const split = image.layout === "split";
  same("chains in flight", chains, get(abi.DEVICE_IN_FLIGHT));
  below("pending slot", get(abi.DEVICE_PENDING_SLOT), split ? U16 + 1 : image.size);
  below("pending flags", get(abi.DEVICE_PENDING_FLAGS), U16 + 1);
  below("batch id", get(abi.DEVICE_BATCH_LAST), U16 + 1);
  below("free head", get(abi.DEVICE_FREE_HEAD), image.size);
  below("turn", get(abi.DEVICE_TAKEN), U16 + 1);
  const taken = split ? chains : descriptors;
  const shown = (get(abi.DEVICE_USED) - get(abi.DEVICE_PENDING_SLOT)) & U16;
  const pending = split ? shown : get(abi.DEVICE_PENDING);
  below("taken, completed and pending", taken + open + pending, image.size + 1);
  if (split) {
    same("between the indices", (get(abi.DEVICE_AVAIL) - get(abi.DEVICE_USED)) & U16, taken + open);
  } else {
    same("descriptors in flight", descriptors, get(abi.DEVICE_IN_FLIGHT_DESCRIPTORS));
    const lap = get(abi.DEVICE_AVAIL_WRAP) === get(abi.DEVICE_USED_WRAP) ? 0 : image.size;
    same("between the positions", get(abi.DEVICE_AVAIL) - get(abi.DEVICE_USED) + lap, taken + open);
  }
  const next = get(split ? abi.DEVICE_AVAIL : abi.DEVICE_TAKEN);
  judgeTurns(image, next, inOrder ? chains : U16);
  if (split) judgeHeads(image);
  else if (inOrder) judgeSlots(image, get(abi.DEVICE_FREE_HEAD), next, chains);
  else freeSlots(image, get(abi.DEVICE_FREE_HEAD), image.size - chains);
}

/** Every chain has a turn of its own, at most `oldest` before the next one. */
function judgeTurns(image: QueueImage, next: number, oldest: number): void {
  const seen = new Set<number>();
  for (let slot = 0; slot < image.size; slot++) {
    const { link, count } = rowAt(image, slot);
    if (!count) continue;
    const age = (next - link) & U16;
    if (age < 1 || age > oldest || seen.has(age))
      invalid(`turn ${link} of slot ${slot}, the next one is ${next}`);
    seen.add(age);
  }
}

/** In split a device's slot is its chain's head, one ring entry each. */
function judgeHeads(image: QueueImage): void {
  for (let slot = 0; slot < image.size; slot++) {
    const { count, id } = rowAt(image, slot);
    if (count && (id !== slot || count !== 1)) invalid(`slot ${slot} holds head ${id}, ${count} entries`);
  }
}

/** In packed with IN_ORDER slots come round: the chains lie just before the next free one, in their turns. */
function judgeSlots(image: QueueImage, head: number, next: number, chains: number): void {
  for (let age = 1; age <= chains; age++) {
    const slot = (head - age + image.size) % image.size;
    const { count, link } = rowAt(image, slot);
    if (!count || link !== ((next - age) & U16))
      invalid(`slot ${slot} does not hold turn ${(next - age) & U16}`);
  }
}
