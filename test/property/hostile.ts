/**
 * A peer that breaks the rules: one field of a ring or of a table overwritten with a value at the edge of what is allowed,
 * or a whole chain or used element forged where the other half looks next. It says which bytes it wants changed, so that
 * the same go into the other twin and can be put back.
 */
import type { DeviceState, DriverState } from "../model/ring";
import type { Random } from "./random";
import type { Setup } from "./setups";

/** Bytes to be written at an offset of the memory. */
export interface Overwrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Where the halves stand, since that is where they look next. */
export interface Standing {
  readonly driver: DriverState;
  readonly device: DeviceState;
}

/** What a hostile peer does: some bytes, and the operation that will see them if it is known. */
export interface Attack {
  readonly overwrites: readonly Overwrite[];
  readonly seenBy?: "take" | "take used";
}

/** The next attack. Values near the right one are made from what memory holds. */
export function attack(random: Random, setup: Setup, memory: Uint8Array, standing: Standing): Attack {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const isSplit = setup.layout === "split";
  switch (random.below(4)) {
    case 0:
      return {
        overwrites: isSplit
          ? forgeSplitChain(random, setup, standing)
          : forgePackedChain(random, setup, standing),
        seenBy: "take",
      };
    case 1:
      return {
        overwrites: isSplit
          ? forgeSplitUsed(random, setup, standing)
          : forgePackedUsed(random, setup, standing),
        seenBy: "take used",
      };
    default: {
      const field = isSplit ? splitField : packedField;
      const overwrites = [field(random, setup, view, standing)];
      return random.oneIn(2) ? { overwrites } : { overwrites, seenBy: random.pick(["take", "take used"]) };
    }
  }
}

/** A chain of one bad descriptor, made available. */
function forgeSplitChain(random: Random, setup: Setup, { device }: Standing): Overwrite[] {
  const { size, offsets } = setup;
  const head = random.oneIn(10) ? random.pick([size, 0xffff]) : random.below(size);
  const avail = offsets.driver + 4 + 2 * (device.available % size);
  return [
    ...(head < size ? forgedDescriptor(random, setup, offsets.descriptor + 16 * head, 12, 14) : []),
    word16(avail, head),
    word16(offsets.driver + 2, (device.available + 1) & 0xffff),
  ];
}

function forgePackedChain(random: Random, setup: Setup, { device }: Standing): Overwrite[] {
  const descriptor = setup.offsets.descriptor + 16 * (device.available & 0x7fff);
  const [body, flags, id] = forgedDescriptor(random, setup, descriptor, 14, 12);
  const lap = device.available >> 15 === 1 ? 0x80 : 0x8000;
  return [body, word16(flags.offset, (flags.bytes[0] ?? 0) | lap), id];
}

/** Address and length; flags; and the word that is `next` in split and the id in packed. */
function forgedDescriptor(
  random: Random,
  setup: Setup,
  offset: number,
  flagsAt: number,
  wordAt: number,
): [Overwrite, Overwrite, Overwrite] {
  const flags = random.pick([0, 1, 1, 2, 3, 4, 4, 4, 5, 6]);
  const [region = { gpa: 0 }] = setup.regions;
  const address = random.oneIn(2) ? BigInt(region.gpa) : someAddress(random, setup);
  const length = (flags & 4) !== 0 ? someTableLength(random, setup) : someLength(random);
  const body = Uint8Array.of(...word64(0, address).bytes, ...word32(0, length).bytes);
  const word = random.pick([0, setup.size - 1, setup.size, random.below(setup.size)]);
  return [{ offset, bytes: body }, word16(offset + flagsAt, flags), word16(offset + wordAt, word)];
}

/** A used element with a bad id or length, made used. */
function forgeSplitUsed(random: Random, { size, offsets }: Setup, { driver }: Standing): Overwrite[] {
  const element = offsets.device + 4 + 8 * (driver.used % size);
  const id = random.oneIn(4) ? random.pick([size, 0xffff_ffff, 0x10000]) : random.below(size);
  return [
    word32(element, id),
    word32(element + 4, someLength(random)),
    word16(offsets.device + 2, (driver.used + random.pick([1, 1, 1, size + 1])) & 0xffff),
  ];
}

function forgePackedUsed(random: Random, { size, offsets }: Setup, { driver }: Standing): Overwrite[] {
  const descriptor = offsets.descriptor + 16 * (driver.used & 0x7fff);
  const id = random.oneIn(4) ? random.pick([size, 0xffff]) : random.below(size);
  const flags = (driver.used >> 15 === 1 ? 0x8080 : 0) | random.pick([0, 2, 2]);
  return [word32(descriptor + 8, someLength(random)), word32(descriptor + 12, id | (flags << 16))];
}

/** A slot that a half looks at next, or one near it; sometimes any. */
function slotNear(random: Random, size: number, position: number): number {
  return random.oneIn(4) ? random.below(size) : ((position & 0x7fff) + random.pick([0, 0, 0, 1, 2])) % size;
}

function splitField(random: Random, setup: Setup, view: DataView, { driver, device }: Standing): Overwrite {
  const { size, offsets } = setup;
  const nextAvail = offsets.driver + 4 + 2 * slotNear(random, size, device.available);
  const nextUsed = offsets.device + 4 + 8 * slotNear(random, size, driver.used);
  const head = random.oneIn(3) ? random.below(size) : view.getUint16(nextAvail, true) % size;
  const nearIdx = (offset: number) =>
    (view.getUint16(offset, true) + random.pick([1, -1, 1, 2, size, size + 1, -size, 0x8000])) & 0xffff;
  const someHead = () => random.pick([random.below(size), size, size - 1, size + 1, 0xffff, 0]);
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return descriptorField(random, setup, offsets.descriptor + 16 * head, false);
    case 5:
      return tableField(random, setup, head, false);
    case 6:
    case 7:
      return word16(offsets.driver + 2, nearIdx(offsets.driver + 2));
    case 8:
      return word16(nextAvail, someHead());
    case 9:
    case 10:
      return word16(offsets.device + 2, nearIdx(offsets.device + 2));
    case 11:
      return word32(nextUsed, random.oneIn(6) ? random.u32() : someHead());
    case 12:
      return word32(nextUsed + 4, someLength(random));
    default: {
      const words = [
        offsets.driver,
        offsets.device,
        offsets.driver + 4 + 2 * size,
        offsets.device + 4 + 8 * size,
      ];
      return word16(random.pick(words), random.pick([0, 1, 2, 0xfffe, 0xffff, random.below(65536)]));
    }
  }
}

function packedField(random: Random, setup: Setup, view: DataView, { driver, device }: Standing): Overwrite {
  const { size, offsets } = setup;
  const descriptorAt = (slot: number) => offsets.descriptor + 16 * slot;
  const nextAvail = descriptorAt(slotNear(random, size, device.available));
  const nextUsed = descriptorAt(slotNear(random, size, driver.used));
  const someId = () => random.pick([size, size - 1, 0, 0xffff, random.below(size), random.below(65536)]);
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return descriptorField(random, setup, nextAvail, true);
    case 3:
      return tableField(random, setup, random.below(size), true);
    case 4: {
      const offset = random.oneIn(2) ? nextAvail : nextUsed; // the lap bits, as the other side writes them
      const others = view.getUint16(offset + 14, true) & 0x7f7f;
      return word16(offset + 14, others | random.pick([0, 0x80, 0x8000, 0x8080]));
    }
    case 5: // a list that goes on
      return word16(nextAvail + 14, view.getUint16(nextAvail + 14, true) | 1);
    case 6:
      return word16((random.oneIn(2) ? nextAvail : nextUsed) + 12, someId());
    default: {
      const offWrap = random.pick([0, size - 1, size, 0x7fff, random.below(size)]) | (random.below(2) << 15);
      const event = random.pick([offsets.driver, offsets.device]);
      return random.oneIn(2)
        ? word16(event, offWrap)
        : word16(event + 2, random.pick([0, 1, 2, 3, 4, 7, 0xfffd]));
    }
  }
}

function tableField(random: Random, setup: Setup, slot: number, packed: boolean): Overwrite {
  const { tables } = setup.offsets;
  if (tables === undefined) {
    return descriptorField(random, setup, setup.offsets.descriptor + 16 * slot, packed);
  }
  const entry = slot * tables.entries + random.below(tables.entries);
  return descriptorField(random, setup, tables.address + 16 * entry, packed);
}

function descriptorField(random: Random, setup: Setup, offset: number, packed: boolean): Overwrite {
  switch (random.below(5)) {
    case 0:
      return word64(offset, someAddress(random, setup));
    case 1:
      return word32(offset + 8, someLength(random));
    case 2: // the least significant flags; in packed the lap stays what it was
      return {
        offset: offset + (packed ? 14 : 12),
        bytes: Uint8Array.of(random.below(8) | (random.oneIn(4) ? 0x78 : 0)),
      };
    case 3:
      return word16(
        offset + (packed ? 12 : 14),
        random.pick([0, setup.size - 1, setup.size, 0xffff, random.below(setup.size)]),
      );
    default: // a descriptor with a table of any shape
      return {
        offset: offset + 8,
        bytes: new Uint8Array(
          packed
            ? [...word32(0, someTableLength(random, setup)).bytes]
            : [...word32(0, someTableLength(random, setup)).bytes, random.pick([4, 4, 6, 5])],
        ),
      };
  }
}

function someAddress(random: Random, { regions }: Setup): bigint {
  const region = random.pick(regions);
  const edge = random.pick([region.gpa, region.gpa + region.size]) + random.pick([-16, -1, 0, 1]);
  return random.pick([
    BigInt.asUintN(64, BigInt(edge)),
    0xffff_ffff_ffff_fff0n,
    0xffff_ffff_ffff_ffffn,
    (1n << 63n) + BigInt(region.gpa),
    (BigInt(random.u32()) << 32n) | BigInt(random.u32()),
    BigInt(region.gpa) + (1n << 32n),
  ]);
}

function someLength(random: Random): number {
  return random.pick([
    0,
    1,
    15,
    16,
    17,
    0x1000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_fff0,
    random.below(64),
  ]);
}

function someTableLength(random: Random, { size }: Setup): number {
  const longest = Math.max(size, 1024);
  return random.pick([
    0,
    8,
    16,
    32,
    33,
    16 * size,
    16 * size + 16,
    16 * longest,
    16 * longest + 16,
    0xffff_fff0,
  ]);
}

function word16(offset: number, value: number): Overwrite {
  return { offset, bytes: Uint8Array.of(value & 0xff, (value >> 8) & 0xff) };
}

function word32(offset: number, value: number): Overwrite {
  return {
    offset,
    bytes: Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24),
  };
}

function word64(offset: number, value: bigint): Overwrite {
  const low = word32(offset, Number(value & 0xffff_ffffn)).bytes;
  const high = word32(offset, Number(value >> 32n)).bytes;
  return { offset, bytes: Uint8Array.of(...low, ...high) };
}
