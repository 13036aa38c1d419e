/**
 * Puts an idle half anywhere in its 16-bit index space or ring, as vhost's vring base does, and makes the ring bytes
 * that this half owns agree. Used by restore and by tests that begin at index 65,530 or with a flipped wrap counter.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { PACKED_DESC_FLAGS, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../spec/packed";
import { VIRTQ_DESC_SIZE } from "../spec/queue";
import { VIRTQ_AVAIL_IDX, VIRTQ_USED_IDX } from "../spec/split";
import { ringAreas } from "./layout";
import { invalid } from "./queue-image-judge";
import type { RingHalf } from "./ring-half";

interface Position {
  readonly slot: number;
  readonly wrap: number;
}

/** A packed base as a position, if it is an idle one: a base doesn't name the chains between its two halves. */
function position(half: RingHalf, base: number): Position {
  if (!Number.isInteger(base) || base < 0 || base > 0xffffffff) invalid(`vring base ${base} is no u32`);
  const [avail, used] = [cursor(base & 0xffff), cursor(base >>> 16)];
  const beyond = [avail, used].find(({ slot }) => slot >= half.size);
  if (beyond) invalid(`vring base ${base}: slot ${beyond.slot} of a packed ring of ${half.size}`);
  const distance = avail.slot - used.slot + (avail.wrap === used.wrap ? 0 : half.size);
  if (distance < 0 || distance > half.size)
    invalid(`vring base ${base}: its positions are ${distance} apart in a packed ring of ${half.size}`);
  if (distance > 0) invalid(`vring base ${base} has ${distance} descriptors in flight, alone it may have 0`);
  return avail;
}

const cursor = (half: number): Position => ({ slot: half & 0x7fff, wrap: half >>> 15 });

function index(base: number): number {
  if (!Number.isInteger(base) || base < 0 || base > 0xffff) invalid(`vring base ${base} is not in 0…65535`);
  return base;
}

function setWords(half: RingHalf, core: Core, values: Readonly<Record<number, number>>): void {
  const words = core.words();
  for (const [offset, value] of Object.entries(values)) words[(half.q + Number(offset)) >>> 2] = value;
}

function setU16(core: Core, gpa: number, value: number): void {
  const view = core.view(gpa, 2);
  view[0] = value & 0xff;
  view[1] = value >>> 8;
}

/** Idle driver half at `base`. */
export function startDriver(half: RingHalf, core: Core, base: number): void {
  const driver = Number(half.areas.driver);
  if (half.ring.layout === "split") {
    const idx = index(base);
    setWords(half, core, {
      [abi.DRIVER_AVAIL]: idx,
      [abi.DRIVER_USED]: idx,
      [abi.DRIVER_PENDING_SLOT]: idx,
    });
    setU16(core, driver + VIRTQ_AVAIL_IDX, idx);
    if (half.ring.eventIdx) setU16(core, driver + ringAreas("split", half.size).driver.bytes - 2, idx);
    return;
  }
  const { slot, wrap } = position(half, base);
  setWords(half, core, {
    [abi.DRIVER_AVAIL]: slot,
    [abi.DRIVER_AVAIL_WRAP]: wrap,
    [abi.DRIVER_USED]: slot,
    [abi.DRIVER_USED_WRAP]: wrap,
  });
  // Every slot was used before: those behind the position in this lap, the others in the lap before.
  for (let i = 0; i < half.size; i++) {
    const lap = i < slot ? wrap : wrap ^ 1;
    const flags = lap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
    setU16(core, Number(half.areas.descriptor) + i * VIRTQ_DESC_SIZE + PACKED_DESC_FLAGS, flags);
  }
}

/** Idle device half at `base` of a ring in use: in split, too, none of its chains may be in flight. */
export function continueDevice(half: RingHalf, core: Core, base: number): void {
  if (half.ring.layout === "split") {
    const [low = 0, high = 0] = core.view(Number(half.areas.device) + VIRTQ_USED_IDX, 2);
    const used = low | (high << 8);
    const distance = (index(base) - used) & 0xffff;
    if (distance > 0)
      invalid(`vring base ${base}, used index ${used}: ${distance} chains in flight, 0 may be`);
  }
  startDevice(half, core, base);
}

/** Idle device half at `base`. */
export function startDevice(half: RingHalf, core: Core, base: number): void {
  const device = Number(half.areas.device);
  if (half.ring.layout === "split") {
    const idx = index(base);
    setWords(half, core, {
      [abi.DEVICE_AVAIL]: idx,
      [abi.DEVICE_USED]: idx,
      [abi.DEVICE_PENDING_SLOT]: idx,
    });
    setU16(core, device + VIRTQ_USED_IDX, idx);
    if (half.ring.eventIdx) setU16(core, device + ringAreas("split", half.size).device.bytes - 2, idx);
    return;
  }
  const { slot, wrap } = position(half, base);
  setWords(half, core, {
    [abi.DEVICE_AVAIL]: slot,
    [abi.DEVICE_AVAIL_WRAP]: wrap,
    [abi.DEVICE_USED]: slot,
    [abi.DEVICE_USED_WRAP]: wrap,
  });
}
