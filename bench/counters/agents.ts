/**
 * What the accesses of two sides mean: distinct lines, lines of the rings that change hands, and the bursts in which a
 * PCI device would reach them. A model with stated rules (bench/README.md), not a machine.
 */
import { DEVICE, DRIVER } from "./sides";

const LINE = 64;
/** A burst crosses no 4 KiB boundary. */
const PAGE = 4096;

/** Linear addresses of what both sides share: [from, to), read and written in whole units of so many bytes. */
export interface SharedRange {
  readonly from: number;
  readonly to: number;
  readonly unit: number;
}

/** Sums of one side. */
export interface SideSums {
  loads: number;
  stores: number;
  lines: number;
}

interface Burst {
  from: number;
  to: number;
}

/** Watches two sides from round to round. */
export class Agents {
  readonly sums: Readonly<Record<number, SideSums>> = {
    [DRIVER]: { loads: 0, stores: 0, lines: 0 },
    [DEVICE]: { loads: 0, stores: 0, lines: 0 },
  };
  transfers = 0;
  pciReads = 0;
  pciWrites = 0;
  readonly #shared: readonly SharedRange[];
  /** Who holds each shared line: a set of sides. */
  readonly #holders = new Map<number, number>();
  readonly #lines: Readonly<Record<number, Set<number>>> = { [DRIVER]: new Set(), [DEVICE]: new Set() };
  #reads: Burst[] = [];
  #lastWrite: Burst | undefined;

  constructor(shared: readonly SharedRange[]) {
    this.#shared = shared;
  }

  /** Starts to count; what the lines' holders are stays. */
  reset(): void {
    for (const side of [DRIVER, DEVICE])
      Object.assign(this.sums[side] as SideSums, { loads: 0, stores: 0, lines: 0 });
    this.transfers = 0;
    this.pciReads = 0;
    this.pciWrites = 0;
    this.endRound();
    for (const side of [DRIVER, DEVICE]) (this.sums[side] as SideSums).lines = 0;
  }

  /** A batch has gone round: a device forgets what it has fetched. */
  endRound(): void {
    for (const side of [DRIVER, DEVICE]) {
      const lines = this.#lines[side] as Set<number>;
      (this.sums[side] as SideSums).lines += lines.size;
      lines.clear();
    }
    this.#reads = [];
    this.#lastWrite = undefined;
  }

  load(side: number, address: number, bytes: number): void {
    (this.sums[side] as SideSums).loads++;
    this.touch(side, address, bytes, false);
  }

  store(side: number, address: number, bytes: number): void {
    (this.sums[side] as SideSums).stores++;
    this.touch(side, address, bytes, true);
  }

  /** As a load or store, without counting an instruction: what a bulk instruction reaches. */
  touch(side: number, address: number, bytes: number, isWrite: boolean): void {
    if (bytes === 0) return;
    const own = this.#lines[side] as Set<number>;
    const range = this.#shared.find(({ from, to }) => address >= from && address < to);
    for (let line = Math.floor(address / LINE); line * LINE < address + bytes; line++) {
      own.add(line);
      if (range !== undefined) this.#hold(side, line, isWrite);
    }
    if (side !== DEVICE || range === undefined) return;
    const from = address - ((address - range.from) % range.unit);
    const to = from + Math.ceil((address + bytes - from) / range.unit) * range.unit;
    if (isWrite) this.#write(from, to);
    else this.#read(from, to);
  }

  /** A line changes hands when a side reads what it has no copy of, or writes what the other has a copy of. */
  #hold(side: number, line: number, isWrite: boolean): void {
    const holders = this.#holders.get(line) ?? side;
    const other = side ^ (DRIVER | DEVICE);
    if (isWrite ? holders & other : !(holders & side)) this.transfers++;
    this.#holders.set(line, isWrite ? side : holders | side);
  }

  /** Fetched bytes aren't fetched again in a round; what begins where a burst ends makes it longer. */
  #read(from: number, to: number): void {
    if (this.#reads.some((burst) => from >= burst.from && to <= burst.to)) return;
    const burst = this.#reads.find((known) => from >= known.from && from <= known.to && from % PAGE !== 0);
    if (burst !== undefined) {
      burst.to = to;
      return;
    }
    this.pciReads++;
    this.#reads.push({ from, to });
  }

  /** What goes on where the last write ended, or fills its last unit, belongs to its burst. */
  #write(from: number, to: number): void {
    const last = this.#lastWrite;
    const goesOn =
      last !== undefined &&
      ((from === last.to && from % PAGE !== 0) || (to === last.to && from >= last.from));
    if (last !== undefined && goesOn) {
      last.to = to;
      return;
    }
    this.pciWrites++;
    this.#lastWrite = { from, to };
  }
}
