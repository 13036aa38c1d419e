/**
 * The one interface that every implementation of the rings offers to the tests: a driver half and a device half over one
 * piece of guest memory. The reference rings beside this file implement it, and so does the binding of the WebAssembly core.
 * Addresses are guest-physical everywhere. The memory behind the rings belongs to the caller, who may change it at any time.
 */
import type * as result from "../../src/spec/result";

/** A code of src/spec/result.ts, by name. */
export type ResultName = keyof typeof result;

/** A piece of guest memory: `address` guest-physical, `length` in bytes, 0…2^32-1. */
export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** One buffer that the driver offers: the device reads the first list and writes the second (§2.6). */
export interface BufferRequest {
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
  /** Describe the buffer in an indirect table (§2.7.5.3, §2.8.7). */
  readonly indirect?: boolean;
}

/** How far `add` came: chains were added in order up to the first that found no room (no error) or was refused (`error`). */
export interface AddResult {
  readonly added: number;
  /** One token for every chain that was added. */
  readonly tokens: readonly number[];
  readonly error?: ResultName;
}

/** A buffer that came back: the token of `add`, and the bytes that the device wrote. */
export interface UsedBuffer {
  readonly token: number;
  readonly length: number;
}

/** A chain that the device took. With `error` (option `recover`) it has no segments and wants `complete(token, 0)`. */
export interface TakenChain {
  readonly token: number;
  readonly error?: ResultName;
  /** Without zero-length descriptors, in chain order. */
  readonly readable: readonly Segment[];
  readonly writable: readonly Segment[];
  readonly readableBytes: bigint;
  readonly writableBytes: bigint;
}

/**
 * Where a half stands. A position is the free-running u16 index in split, and `slot | wrapCounter << 15` in packed,
 * both as in vhost's vring base.
 */
export interface DriverState {
  /** Position of the next chain to add; what is added and not yet published lies before it. */
  readonly available: number;
  /** Position of the next used element to look at. */
  readonly used: number;
  /** Free descriptors. */
  readonly free: number;
  /** Chains added and not yet taken back. */
  readonly inFlight: number;
  /** The peer's breach that broke this half, until it is reset. */
  readonly error: ResultName | undefined;
}

/** Where a device half stands; positions as in {@link DriverState}. */
export interface DeviceState {
  /** Position of the next chain to take. */
  readonly available: number;
  /** Position after the last completed chain, published or not. */
  readonly used: number;
  /** Chains taken and not yet completed or undone. */
  readonly inFlight: number;
  readonly error: ResultName | undefined;
}

/** The driver's half of one virtqueue. */
export interface DriverHalf {
  /** Writes the chains into the ring without exposing them; nothing of a chain that does not fit or is refused. */
  add(chains: readonly BufferRequest[]): AddResult;
  /** Exposes what was added; `notify`: send an available buffer notification, which carries `kickValue` (§2.9). */
  publish(): { readonly notify: boolean; readonly kickValue: number };
  /** Takes back at most `max` used buffers. */
  takeUsed(max: number): { readonly used: readonly UsedBuffer[]; readonly error?: ResultName };
  /** Wants a used buffer notification, with EVENT_IDX after `ahead` more (split: buffers, packed: descriptors; 0…size). True: look again. */
  arm(ahead: number): boolean;
  disarm(): void;
  hasUsed(): boolean;
  /** Forgets everything but the generations of the tokens: indices 0, wrap counters 1. Writes no guest memory. */
  reset(): void;
  state(): DriverState;
}

/** The device's half of one virtqueue. */
export interface DeviceHalf {
  take(max: number): { readonly chains: readonly TakenChain[]; readonly error?: ResultName };
  /** Gives back the chain that was taken last. */
  undo(token: number): ResultName | undefined;
  /** Writes the used element without exposing it; `written` in bytes, 0…2^32-1. */
  complete(token: number, written: number): ResultName | undefined;
  /** Exposes what was completed; true: send a used buffer notification. */
  publish(): boolean;
  /** Wants an available buffer notification for the next chain. True: look again. */
  arm(): boolean;
  disarm(): void;
  hasAvailable(): boolean;
  /** As {@link DriverHalf.reset}. */
  reset(): void;
  state(): DeviceState;
}

/** A window of guest RAM: `size` bytes at guest-physical `gpa` are the bytes from `base` on of the memory. */
export interface GuestRegion {
  readonly gpa: number;
  readonly base: number;
  readonly size: number;
  readonly readOnly?: boolean;
}

/** What was negotiated, as far as a ring sees it. */
export interface RingFeatures {
  readonly indirect?: boolean;
  readonly eventIdx?: boolean;
  readonly inOrder?: boolean;
  readonly notificationData?: boolean;
}

/** Guest-physical addresses of the three areas (§2.6), and of the driver's slab of indirect tables. */
export interface RingAreas {
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
  /** Table of slot s at `address + s * entries * 16`. Without it the driver half refuses `indirect`. */
  readonly tables?: { readonly address: number; readonly entries: number };
}

/** The policies that concern rings. */
export interface RingPolicies {
  /** Chains and tables of at most queue size entries. */
  readonly strictRing?: boolean;
  /** A bad chain that has a head to return is delivered with its error, and breaks nothing. */
  readonly recover?: boolean;
  /** A used length above the writable length counts as the writable length. */
  readonly clampUsedLength?: boolean;
  /** Packed: a used length counts without WRITE too. */
  readonly lengthWithoutWrite?: boolean;
}

/** Where both halves start, with nothing in flight: a restored queue. */
export interface RingStart {
  /** Split: avail.idx and used.idx, 0…65535. */
  readonly idx?: number;
  /** Packed: the slot that comes next, 0…size-1, and both wrap counters. */
  readonly slot?: number;
  readonly wrap?: 0 | 1;
}

/** Everything that makes a pair of halves. */
export interface RingOptions {
  readonly layout: "split" | "packed";
  readonly size: number;
  readonly features: RingFeatures;
  readonly memory: Uint8Array;
  readonly regions: readonly GuestRegion[];
  readonly areas: RingAreas;
  readonly options?: RingPolicies;
  /** Private state only: `writeStart` puts the ring words in memory that go with it. */
  readonly start?: RingStart;
  /** Queue index that a notification carries, 0…65535. */
  readonly index?: number;
}

/** Both halves of one virtqueue. */
export interface Rings {
  readonly driver: DriverHalf;
  readonly device: DeviceHalf;
}

/** Makes the halves; refuses areas, regions or a size that §2.7 or §2.8 does not allow with an Error named by a result code. */
export type MakeRings = (options: RingOptions) => Rings;
