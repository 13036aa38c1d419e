/**
 * Which structure of a virtio-pci device lies where (§4.1.4): offsets in base address registers, and the registers' kind
 * and size that follow. Nothing here is fixed by the specification but alignment; the defaults are what hosts know.
 */
import { VirtioError } from "../errors";
import {
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_SPACE_IO,
} from "../spec/pci-header";

/** Where something begins. */
export interface PciPlace {
  /** 0…5 */
  readonly bar: number;
  /** Bytes from the start of the BAR. */
  readonly offset: number;
}

/** A stretch of a BAR. */
export interface PciRegion extends PciPlace {
  /** For messages. */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  readonly kind: "io" | "memory";
  /** Of `offset`, bytes. */
  readonly align: number;
  /** Wants a BAR of 64 bits, prefetchable, which takes the next one, too. */
  readonly is64?: boolean;
}

/** One base address register. */
export interface PciBar {
  /** 0…5 */
  readonly index: number;
  readonly kind: "io" | "memory";
  /** Bytes, a power of two. */
  readonly size: number;
  /** A prefetchable memory BAR of 64 bits; it takes the next register, too. */
  readonly is64: boolean;
  /** What lies in it. */
  readonly regions: readonly PciRegion[];
}

const BARS = 6;
/** PCI wants at least 4 and 16 bytes; a page keeps a host's mapping simple. */
const LEAST = { io: 4, memory: 4096 } as const;
const MOST = { io: 2 ** 16, memory: 2 ** 31 } as const;
const MOST_64 = 2 ** 52;

/**
 * The BARs that hold these regions.
 *
 * @throws VirtioError BAD_ARGUMENT for regions that overlap, are not aligned, or ask for a BAR that can't be
 */
export function barsFor(regions: readonly PciRegion[]): PciBar[] {
  const byIndex = new Map<number, PciRegion[]>();
  for (const region of regions) {
    check(region);
    const others = byIndex.get(region.bar) ?? [];
    for (const other of others) checkPair(region, other);
    byIndex.set(region.bar, [...others, region]);
  }
  const bars = [...byIndex].map(([index, inside]) => barOf(index, inside));
  for (const { index, is64 } of bars) {
    if (is64 && byIndex.has(index + 1))
      bad(`BAR ${index} takes BAR ${index + 1}, too, which holds something`);
  }
  return bars.sort((a, b) => a.index - b.index);
}

/** The flags of a BAR's register (PCI 3.0 §6.2.5.1). */
export function barFlags({ kind, is64 }: PciBar): number {
  if (kind === "io") return PCI_BASE_ADDRESS_SPACE_IO;
  return is64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH : 0;
}

/**
 * Offsets for structures one behind the other.
 *
 * @param step each begins at a multiple of it, bytes
 */
export function inARow<Name extends string>(
  lengths: ReadonlyMap<Name, number>,
  bar: number,
  step: number,
): ReadonlyMap<Name, PciPlace> {
  let end = 0;
  return new Map(
    [...lengths].map(([name, length]) => {
      const offset = step * Math.ceil(end / step);
      end = offset + length;
      return [name, { bar, offset }];
    }),
  );
}

function barOf(index: number, regions: readonly PciRegion[]): PciBar {
  const { kind, is64 = false } = regions[0] ?? { kind: "memory" };
  const end = Math.max(...regions.map(({ offset, length }) => offset + length));
  const size = 2 ** Math.ceil(Math.log2(Math.max(end, LEAST[kind])));
  const most = is64 ? MOST_64 : MOST[kind];
  if (size > most) bad(`BAR ${index} of ${size} bytes, at most it has ${most}`);
  return { index, kind, size, is64, regions };
}

function check({ name, bar, offset, align }: PciRegion): void {
  if (!Number.isInteger(bar) || bar < 0 || bar >= BARS) bad(`${name} in BAR ${bar}, there are 0…${BARS - 1}`);
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % align !== 0)
    bad(`${name} at offset ${offset} of BAR ${bar}, it begins at a multiple of ${align}`);
}

function checkPair(a: PciRegion, b: PciRegion): void {
  if (a.kind !== b.kind || (a.is64 ?? false) !== (b.is64 ?? false))
    bad(`BAR ${a.bar} can't hold both ${b.name} and ${a.name}: they are different kinds of BAR`);
  if (a.offset < b.offset + b.length && b.offset < a.offset + a.length)
    bad(
      `${a.name} at ${a.offset} overlaps ${b.name} at ${b.offset}…${b.offset + b.length - 1} of BAR ${a.bar}`,
    );
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.4" });
}
