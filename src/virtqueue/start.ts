/**
 * Puts an idle half anywhere in its 16-bit index space or ring, as vhost's vring base does, and makes the ring bytes
 * that this half owns agree. Used by restore and by tests that begin at index 65,530 or with a flipped wrap counter.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { PACKED_DESC_FLAGS, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../spec/packed";
import { VIRTQ_DESC_SIZE } from "../spec/queue";
import { VIRTQ_AVAIL_IDX, VIRTQ_USED_IDX } from "../spec/split";
import { ringAreas } from "./layout";
import type { RingHalf } from "./ring-half";

interface Position {
  readonly slot: number;
  readonly wrap: number;
}

function position(half: RingHalf, base: number): Position {
  const low = base & 0xffff;
  const high = base >>> 16;
  const [slot, wrap] = [low & 0x7fff, low >>> 15];
  if (!Number.isInteger(base) || base < 0 || base > 0xffffffff || slot >= half.size || low !== high) {
    throw new VirtioError(
      "BAD_ARGUMENT",
      `vring base ${base} is no idle position of a packed ring of ${half.size}`,
    );
  }
  return { slot, wrap };
}

function index(base: number): number {
  if (!Number.isInteger(base) || base < 0 || base > 0xffff) {
    throw new VirtioError("BAD_ARGUMENT", `vring base ${base} is not in 0…65535`);
  }
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
    setWords(half, core, { [abi.DRIVER_AVAIL]: idx, [abi.DRIVER_USED]: idx });
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

/** Idle device half at `base`. */
export function startDevice(half: RingHalf, core: Core, base: number): void {
  const device = Number(half.areas.device);
  if (half.ring.layout === "split") {
    const idx = index(base);
    setWords(half, core, { [abi.DEVICE_AVAIL]: idx, [abi.DEVICE_USED]: idx });
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
