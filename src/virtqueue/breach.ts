/**
 * What each error of the ring core says to a person: the rule's section, and a message with both numbers,
 * what was found and what it was held against. The core leaves the two in the queue struct.
 */
import { type ErrorCode, VirtioError } from "../errors";

type Say = (found: bigint, bound: bigint) => string;

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const range = (address: bigint, length: bigint): string => `[${hex(address)}, +${length})`;

interface Rule {
  readonly split: string;
  readonly packed: string;
  readonly say: Say;
}

const rule = (split: string, packed: string, say: Say): Rule => ({ split, packed, say });

const RULES: Partial<Record<ErrorCode, Rule>> = {
  BAD_ARGUMENT: rule("", "", (found, bound) => `argument ${found} does not fit ${bound}`),
  BUFFER_TOO_SHORT: rule("", "", () => "the record area or the log of touched ranges is too small"),
  CHAIN_BYTES_OVERFLOW: rule("2.7.5.2", "2.8.19", (f, b) => `a chain of ${f} bytes, more than ${b}`),
  CHAIN_TOO_LONG: rule(
    "2.7.5",
    "2.8.19",
    (f, b) => `a chain of ${f} or more descriptors, at most ${b} are possible`,
  ),
  COMPLETE_LEN_OVERFLOW: rule("2.7.8.2", "2.8.4", (f, b) => `${f} bytes written of ${b} writable ones`),
  COMPLETE_UNKNOWN: rule("2.7.8", "2.8.4", (f, b) => `nothing is in flight in slot ${f} of ${b}`),
  DESC_ADDR_OVERFLOW: rule("2.7.5", "2.8.5", (f, b) => `buffer ${range(f, b)} runs past 2^64`),
  DESC_INDEX_RANGE: rule("2.7.6", "2.8.6", (f, b) => `the available ring names descriptor ${f} of ${b}`),
  DESC_NEXT_RANGE: rule("2.7.5", "2.8.6", (f, b) => `next is ${f}, there are ${b} descriptors`),
  DESC_ORDER: rule(
    "2.7.4.2",
    "2.8.19",
    (f, b) => `device-readable buffer ${range(f, b)} behind a writable one`,
  ),
  DESC_OUT_OF_GUEST: rule("2.7.5", "2.8.5", (f, b) => `buffer ${range(f, b)} is not inside guest memory`),
  HEAD_IN_FLIGHT: rule(
    "2.7.13.1",
    "2.8.6",
    (f, b) => `head ${f} is made available again, among ${b} in flight`,
  ),
  INDIRECT_BAD_SIZE: rule("2.7.5.3", "2.8.7", (f, b) => `a table of ${f} bytes is not entries of ${b}`),
  INDIRECT_NESTED: rule("2.7.5.3.1", "2.8.7", (f, b) => `entry ${f} of ${b} in a table is itself INDIRECT`),
  INDIRECT_NOT_NEGOTIATED: rule(
    "2.7.5.3.1",
    "2.8.19",
    (f) => `descriptor ${f} is INDIRECT, INDIRECT_DESC is not negotiated`,
  ),
  INDIRECT_OUT_OF_GUEST: rule(
    "2.7.5.3",
    "2.8.7",
    (f, b) => `table ${range(f, b)} is not inside guest memory`,
  ),
  INDIRECT_TOO_LONG: rule(
    "2.7.5.3.1",
    "2.8.19",
    (f, b) => `a table of ${f} entries, at most ${b} are accepted`,
  ),
  INDIRECT_WITH_NEXT: rule(
    "2.7.5.3.1",
    "2.8.19",
    (f, b) => `descriptor ${f} is INDIRECT within a list (flags ${hex(b)})`,
  ),
  IN_ORDER_VIOLATION: rule("2.7.9", "2.8.8", (f, b) => `chain ${f} completed before chain ${b}`),
  PACKED_NOT_AVAILABLE: rule(
    "",
    "2.8.6",
    (f, b) => `a list goes on in slot ${f}, which is not available (flags ${hex(b)})`,
  ),
  QUEUE_BROKEN: rule("", "", () => "the queue is broken until its reset"),
  QUEUE_NOT_READY: rule("", "", () => "the queue is not set up"),
  QUEUE_SIZE_INVALID: rule(
    "2.7",
    "2.8.10.1",
    (f, b) => `queue size ${f}, at most ${b} and, for split, a power of two`,
  ),
  RING_ADDR_OVERFLOW: rule("2.7", "2.8", () => "a ring area runs past 2^64"),
  RING_ALIGN: rule("2.7", "2.8", () => "a ring area is not aligned"),
  RING_OUT_OF_GUEST: rule("2.7", "2.8", () => "a ring area is not inside guest memory"),
  RING_OVERLAP: rule("2.7", "2.8", () => "two ring areas overlap"),
  RING_INDEX_JUMP: rule(
    "2.7.6",
    "2.8.6",
    (f, b) => `position ${f} against ${b}: more than the queue size ahead`,
  ),
  STALE_TOKEN: rule("", "", (f, b) => `the token is of generation ${f}, in force is ${b}`),
  USED_ID_NOT_HEAD: rule("2.7.8", "2.8.4", (f, b) => `used id ${f} of ${b} is no chain's head`),
  USED_ID_NOT_INFLIGHT: rule("2.7.8", "2.8.4", (f, b) => `used id ${f} of ${b} is not in flight`),
  USED_ID_RANGE: rule("2.7.8", "2.8.4", (f, b) => `used id ${f}, ids are below ${b}`),
  USED_INDEX_JUMP: rule("2.7.8", "2.8.8", (f, b) => `${f} newly used against ${b}`),
  USED_LEN_OVERFLOW: rule("2.7.8.2", "2.8.4", (f, b) => `used length ${f} of ${b} writable bytes`),
};

/** Where an error came from. */
export interface BreachPlace {
  readonly queue: number;
  readonly layout: "split" | "packed";
  readonly size: number;
}

/** The split index jump in the words of its section. */
function indexJump({ size }: BreachPlace, idx: bigint, used: bigint): string {
  return `avail.idx ${idx} is ${(idx - used) & 0xffffn} ahead of ${used}, more than queue size ${size}`;
}

/** The typed error for a code of the core. */
export function breach(code: ErrorCode, place: BreachPlace, found: bigint, bound: bigint): VirtioError {
  const known = RULES[code];
  const text =
    code === "RING_INDEX_JUMP" && place.layout === "split"
      ? indexJump(place, found, bound)
      : (known?.say(found, bound) ?? `${code}: ${found}, ${bound}`);
  return new VirtioError(code, `queue ${place.queue}: ${text}`, {
    section: known?.[place.layout] ?? "",
    queue: place.queue,
  });
}
