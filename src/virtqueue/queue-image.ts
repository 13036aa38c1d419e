/**
 * A half of a queue as plain, versioned, checked data, and back: all or nothing. The rings themselves stay in guest
 * memory; what is saved is the half's own line and its shadow (assembly/queue-state.ts).
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import type { QueueOptions, RingHalf } from "./ring-half";

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

const ROW = 5;
const LINE_WORDS = 16;
const U16 = 0xffff;

function checksum(image: Omit<QueueImage, "checksum">): number {
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify(image)) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

const lineAt = (half: RingHalf): number =>
  half.q + (half.role === abi.ROLE_DRIVER ? abi.DRIVER_ERROR : abi.DEVICE_ERROR);

const shadowAt = (half: RingHalf): number =>
  half.q + (half.role === abi.ROLE_DRIVER ? half.state.driverShadow : half.state.deviceShadow);

/** Saves a half. @throws VirtioError QUEUE_BROKEN when the ring was broken by the other side */
export function saveHalf(
  half: RingHalf,
  core: Core,
  held: readonly (readonly [number, number])[] = [],
): QueueImage {
  if (half.error)
    throw new VirtioError("QUEUE_BROKEN", `queue ${half.index} is broken (${half.error}), reset it first`);
  const words = core.words();
  const word = (linear: number): number => words[linear >>> 2] ?? 0;
  const line = Array.from({ length: LINE_WORDS }, (_, i) => word(lineAt(half) + 4 * i));
  line[LINE_WORDS - 1] = 0; // touched ranges are not part of the state
  const shadow: number[] = [];
  for (let slot = 0; slot < half.size; slot++) {
    const at = shadowAt(half) + slot * abi.SHADOW_BYTES;
    const [low, high] = [word(at), word(at + 4)];
    shadow.push(low & U16, low >>> 16, high & U16, high >>> 16, word(at + 8) + word(at + 12) * 0x100000000);
  }
  const image: Omit<QueueImage, "checksum"> = {
    schema: "virtq.queue/1",
    role: half.role === abi.ROLE_DRIVER ? "driver" : "device",
    layout: half.ring.layout,
    index: half.index,
    size: half.size,
    features: word(half.q + abi.QUEUE_FEATURES) & ~abi.OPTION_LOG,
    line,
    shadow,
    inFlight: tokensInOrder(half.role, half.ring.layout, line, shadow),
    held,
  };
  return { ...image, checksum: checksum(image) };
}

/** Tokens in flight, those of a device by the turn that their link counts. */
function tokensInOrder(
  role: number,
  layout: "split" | "packed",
  line: readonly number[],
  shadow: readonly number[],
): number[] {
  const rows: { token: number; link: number }[] = [];
  for (let slot = 0; slot * ROW < shadow.length; slot++) {
    const [link = 0, generation = 0, count = 0] = shadow.slice(slot * ROW, slot * ROW + 3);
    if (count) rows.push({ token: slot | (generation << 16), link });
  }
  if (role === abi.ROLE_DRIVER) return rows.map((row) => row.token);
  const next = field(line, layout === "split" ? abi.DEVICE_AVAIL : abi.DEVICE_TAKEN, abi.DEVICE_ERROR);
  const age = (link: number): number => (next - link) & U16;
  return rows.sort((a, b) => age(b.link) - age(a.link)).map((row) => row.token);
}

function field(line: readonly number[], offset: number, first: number): number {
  return line[(offset - first) >>> 2] ?? 0;
}

function invalid(message: string): never {
  throw new VirtioError("SNAPSHOT_INVALID", message);
}

/** Makes a queue by `make` and puts an image into it; on any doubt the queue is disposed of and nothing has changed. */
export function restoreHalf<T extends RingHalf>(
  image: QueueImage,
  options: QueueOptions,
  make: () => T,
  core: Core,
): T {
  judgeShape(image, options);
  let half: T;
  try {
    half = make();
  } catch (cause) {
    invalid(cause instanceof Error ? cause.message : String(cause));
  }
  try {
    const bits = (core.words()[(half.q + abi.QUEUE_FEATURES) >>> 2] ?? 0) & ~abi.OPTION_LOG;
    if (bits !== image.features) invalid(`image has feature bits ${image.features}, the queue ${bits}`);
    if ((image.role === "driver") !== (half.role === abi.ROLE_DRIVER))
      invalid(`image of a ${image.role} half`);
    if (half.role === abi.ROLE_DRIVER) judgeDriver(image, half.ring.inOrder);
    else judgeDevice(image);
  } catch (cause) {
    half.dispose();
    throw cause;
  }
  const words = core.words();
  image.line.forEach((value, i) => {
    words[(lineAt(half) >>> 2) + i] = value;
  });
  for (let slot = 0; slot < image.size; slot++) {
    const [link = 0, generation = 0, count = 0, id = 0, writable = 0] = image.shadow.slice(
      slot * ROW,
      slot * ROW + ROW,
    );
    const at = (shadowAt(half) + slot * abi.SHADOW_BYTES) >>> 2;
    words[at] = link | (generation << 16);
    words[at + 1] = count | (id << 16);
    words[at + 2] = writable >>> 0;
    words[at + 3] = Math.floor(writable / 0x100000000);
  }
  return half;
}

const KEYS = "checksum features held inFlight index layout line role schema shadow size";

function judgeShape(image: QueueImage, options: QueueOptions): void {
  if (typeof image !== "object" || image === null || Object.keys(image).sort().join(" ") !== KEYS) {
    invalid(`an image has the fields ${KEYS}`);
  }
  const { checksum: given, ...rest } = image;
  if (image.schema !== "virtq.queue/1") invalid(`schema ${String(image.schema)}, known is virtq.queue/1`);
  if (checksum(rest) !== given) invalid(`checksum ${given}, the data has ${checksum(rest)}`);
  if (image.size !== options.size)
    invalid(`image of queue size ${image.size}, the queue has ${options.size}`);
  if (image.index !== options.index) invalid(`image of queue ${image.index}, not ${options.index}`);
  if (image.layout !== options.ring.layout)
    invalid(`image of a ${image.layout} ring, the queue's is ${options.ring.layout}`);
  const numbers = [...image.line, ...image.shadow, ...image.inFlight];
  if (image.line.length !== LINE_WORDS || image.shadow.length !== image.size * ROW) {
    invalid(
      `${image.line.length} line words and ${image.shadow.length} shadow values for size ${image.size}`,
    );
  }
  const bad = numbers.find((value) => !Number.isSafeInteger(value) || value < 0);
  if (bad !== undefined) invalid(`value ${bad} in the image`);
  if (field(image.line, 0, 0) !== 0) invalid("an image of a broken queue");
}

/** In flight rows, their descriptors, and whether every row is within its range. */
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
    // One more than 2^32 marks a chain that is given back for its error (assembly/shadow.ts).
    if (writable > 0x100000001)
      invalid(`shadow of slot ${slot}: ${writable} writable bytes, at most ${0x100000000}`);
    if (!count) continue;
    chains++;
    descriptors += count;
  }
  return { chains, descriptors };
}

function judgePosition(image: QueueImage, first: number, slotAt: number, wrapAt: number): void {
  const slot = field(image.line, slotAt, first);
  const bound = image.layout === "split" ? U16 + 1 : image.size;
  if (slot >= bound) invalid(`position ${slot} is not below ${bound}`);
  if (field(image.line, wrapAt, first) > 1) invalid(`wrap counter ${field(image.line, wrapAt, first)}`);
}

/** From the used to the available position of a packed ring, in descriptors. */
function ringDistance(
  image: QueueImage,
  first: number,
  offsets: readonly [number, number, number, number],
): number {
  const [avail, availWrap, used, usedWrap] = offsets.map((offset) => field(image.line, offset, first));
  return (avail ?? 0) - (used ?? 0) + (availWrap === usedWrap ? 0 : image.size);
}

function judgeDriver(image: QueueImage, inOrder: boolean): void {
  const first = abi.DRIVER_ERROR;
  const get = (offset: number): number => field(image.line, offset, first);
  judgePosition(image, first, abi.DRIVER_AVAIL, abi.DRIVER_AVAIL_WRAP);
  judgePosition(image, first, abi.DRIVER_USED, abi.DRIVER_USED_WRAP);
  const { chains, descriptors } = census(image);
  if (chains !== get(abi.DRIVER_IN_FLIGHT))
    invalid(`${chains} chains in flight, the line counts ${get(abi.DRIVER_IN_FLIGHT)}`);
  if (descriptors + get(abi.DRIVER_FREE_COUNT) !== image.size) {
    invalid(
      `${descriptors} descriptors in flight and ${get(abi.DRIVER_FREE_COUNT)} free, the size is ${image.size}`,
    );
  }
  for (const offset of [abi.DRIVER_FREE_HEAD, abi.DRIVER_OLDEST, abi.DRIVER_PENDING_SLOT]) {
    if (get(offset) >= image.size) invalid(`slot ${get(offset)} of ${image.size}`);
  }
  if (get(abi.DRIVER_BATCH_END) > image.size || get(abi.DRIVER_PENDING) > descriptors)
    invalid("a pending count out of range");
  if (image.layout === "packed") {
    const offsets = [abi.DRIVER_AVAIL, abi.DRIVER_AVAIL_WRAP, abi.DRIVER_USED, abi.DRIVER_USED_WRAP] as const;
    const distance = ringDistance(image, first, offsets);
    if (distance !== descriptors)
      invalid(`positions are ${distance} apart with ${descriptors} descriptors in flight`);
  }
  if (!inOrder)
    judgeFreeList(
      image,
      get(abi.DRIVER_FREE_HEAD),
      image.size - (image.layout === "split" ? descriptors : chains),
    );
}

/** The free list names each free slot once; in split a chain's members follow its head. */
function judgeFreeList(image: QueueImage, head: number, free: number): void {
  const seen = new Set<number>();
  const visit = (slot: number): number => {
    const [link = 0, , count = 0] = image.shadow.slice(slot * ROW, slot * ROW + 3);
    if (slot >= image.size || seen.has(slot))
      invalid(`slot ${slot} of ${image.size} is free twice, or not there`);
    if (count) invalid(`slot ${slot} is in flight and free`);
    seen.add(slot);
    return link;
  };
  let slot = head;
  for (let i = 0; i < free; i++) slot = visit(slot);
  if (image.layout === "packed") return;
  for (let member = 0; member < image.size; member++) {
    const [link = 0, , count = 0] = image.shadow.slice(member * ROW, member * ROW + 3);
    let next = link;
    for (let i = 1; i < count; i++) next = visit(next);
  }
}

function judgeDevice(image: QueueImage): void {
  const first = abi.DEVICE_ERROR;
  const get = (offset: number): number => field(image.line, offset, first);
  judgePosition(image, first, abi.DEVICE_AVAIL, abi.DEVICE_AVAIL_WRAP);
  judgePosition(image, first, abi.DEVICE_USED, abi.DEVICE_USED_WRAP);
  const { chains, descriptors } = census(image);
  if (chains !== get(abi.DEVICE_IN_FLIGHT))
    invalid(`${chains} chains in flight, the line counts ${get(abi.DEVICE_IN_FLIGHT)}`);
  if (get(abi.DEVICE_PENDING) > image.size || get(abi.DEVICE_BATCH_COUNT) > image.size)
    invalid("a pending count out of range");
  for (const offset of [abi.DEVICE_FREE_HEAD, abi.DEVICE_PENDING_SLOT]) {
    if (get(offset) >= image.size) invalid(`slot ${get(offset)} of ${image.size}`);
  }
  const open = get(abi.DEVICE_BATCH_COUNT);
  if (image.layout === "split") {
    const ahead = (get(abi.DEVICE_AVAIL) - get(abi.DEVICE_USED)) & U16;
    if (ahead !== chains + open) invalid(`indices are ${ahead} apart with ${chains} chains in flight`);
    return;
  }
  if (descriptors !== get(abi.DEVICE_IN_FLIGHT_DESCRIPTORS)) {
    invalid(`${descriptors} descriptors in flight, the line counts ${get(abi.DEVICE_IN_FLIGHT_DESCRIPTORS)}`);
  }
  const offsets = [abi.DEVICE_AVAIL, abi.DEVICE_AVAIL_WRAP, abi.DEVICE_USED, abi.DEVICE_USED_WRAP] as const;
  const distance = ringDistance(image, first, offsets);
  if (distance !== descriptors + open || distance > image.size) {
    invalid(`positions are ${distance} apart with ${descriptors} descriptors in flight, size ${image.size}`);
  }
}
