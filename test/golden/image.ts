/**
 * Golden ring images: rows that a person wrote down from the specification's text, encoded as little-endian bytes.
 * Field widths and offsets only (§2.7.5, §2.7.6, §2.7.8, §2.8.13, §2.8.14); no index is advanced, masked or wrapped here.
 * An image is built up by changes: what a change doesn't name stays as it was, and is compared byte by byte all the same.
 */

/** Split descriptor: slot, addr, len, flags, next. */
export type SplitRow = readonly [slot: number, addr: number, len: number, flags: number, next: number];
/** Packed descriptor: slot, addr, len, id, flags. */
export type PackedRow = readonly [slot: number, addr: number, len: number, id: number, flags: number];
/** Used element of the split ring: slot, id, len. */
export type UsedRow = readonly [slot: number, id: number, len: number];
/** An indirect table that must lie at `gpa`: its rows. */
export type Table<Row> = readonly [gpa: number, rows: readonly Row[]];

/** What changed in a split ring since the last image. */
export interface SplitChange {
  readonly desc?: readonly SplitRow[];
  readonly tables?: readonly Table<SplitRow>[];
  readonly avail?: {
    flags?: number;
    idx?: number;
    ring?: readonly (readonly [slot: number, head: number])[];
    usedEvent?: number;
  };
  readonly used?: { flags?: number; idx?: number; ring?: readonly UsedRow[]; availEvent?: number };
}

/** What changed in a packed ring since the last image. */
export interface PackedChange {
  readonly ring?: readonly PackedRow[];
  readonly tables?: readonly Table<PackedRow>[];
  /** [off_wrap, flags] of the driver's event structure. */
  readonly driver?: readonly [offWrap: number, flags: number];
  /** [off_wrap, flags] of the device's event structure. */
  readonly device?: readonly [offWrap: number, flags: number];
}

/** One named piece of guest memory and the bytes that must stand in it. */
export interface Area {
  readonly name: string;
  readonly gpa: number;
  readonly bytes: DataView;
  readonly rowBytes: number;
}

/** Where the areas of every golden queue lie, and its slab of indirect tables: four entries of 16 bytes a buffer. */
export const GOLDEN_AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } as const;
export const GOLDEN_TABLES = { gpa: 0x4000, entries: 4 } as const;

const view = (bytes: number): DataView => new DataView(new ArrayBuffer(bytes));

function area(name: string, gpa: number, bytes: number, rowBytes: number): Area {
  return { name, gpa, bytes: view(bytes), rowBytes };
}

function put64(bytes: DataView, at: number, value: number): void {
  bytes.setUint32(at, value % 2 ** 32, true);
  bytes.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** The expected bytes of a split ring: descriptor table, available ring, used ring, table slab. */
export class SplitImage {
  readonly size: number;
  readonly desc: Area;
  readonly avail: Area;
  readonly used: Area;
  readonly tables: Area;

  constructor(size: number) {
    this.size = size;
    this.desc = area("descriptor table", GOLDEN_AREAS.descriptor, 16 * size, 16);
    this.avail = area("available ring", GOLDEN_AREAS.driver, 6 + 2 * size, 2);
    this.used = area("used ring", GOLDEN_AREAS.device, 6 + 8 * size, 2);
    this.tables = area("indirect tables", GOLDEN_TABLES.gpa, 16 * GOLDEN_TABLES.entries * size, 16);
  }

  get areas(): Area[] {
    return [this.desc, this.avail, this.used, this.tables];
  }

  apply(change: SplitChange): void {
    for (const row of change.desc ?? []) putSplit(this.desc.bytes, row);
    for (const [gpa, rows] of change.tables ?? []) {
      for (const row of rows) putSplit(this.tables.bytes, row, gpa - GOLDEN_TABLES.gpa);
    }
    const { avail, used } = change;
    if (avail?.flags !== undefined) this.avail.bytes.setUint16(0, avail.flags, true);
    if (avail?.idx !== undefined) this.avail.bytes.setUint16(2, avail.idx, true);
    for (const [slot, head] of avail?.ring ?? []) this.avail.bytes.setUint16(4 + 2 * slot, head, true);
    if (avail?.usedEvent !== undefined) this.avail.bytes.setUint16(4 + 2 * this.size, avail.usedEvent, true);
    if (used?.flags !== undefined) this.used.bytes.setUint16(0, used.flags, true);
    if (used?.idx !== undefined) this.used.bytes.setUint16(2, used.idx, true);
    for (const [slot, id, len] of used?.ring ?? []) {
      this.used.bytes.setUint32(4 + 8 * slot, id, true);
      this.used.bytes.setUint32(8 + 8 * slot, len, true);
    }
    if (used?.availEvent !== undefined) this.used.bytes.setUint16(4 + 8 * this.size, used.availEvent, true);
  }
}

function putSplit(bytes: DataView, [slot, addr, len, flags, next]: SplitRow, from = 0): void {
  const at = from + 16 * slot;
  put64(bytes, at, addr);
  bytes.setUint32(at + 8, len, true);
  bytes.setUint16(at + 12, flags, true);
  bytes.setUint16(at + 14, next, true);
}

/** The expected bytes of a packed ring: descriptor ring, both event structures, table slab. */
export class PackedImage {
  readonly ring: Area;
  readonly driver: Area;
  readonly device: Area;
  readonly tables: Area;

  constructor(size: number) {
    this.ring = area("descriptor ring", GOLDEN_AREAS.descriptor, 16 * size, 16);
    this.driver = area("driver event structure", GOLDEN_AREAS.driver, 4, 2);
    this.device = area("device event structure", GOLDEN_AREAS.device, 4, 2);
    this.tables = area("indirect tables", GOLDEN_TABLES.gpa, 16 * GOLDEN_TABLES.entries * size, 16);
  }

  get areas(): Area[] {
    return [this.ring, this.driver, this.device, this.tables];
  }

  apply(change: PackedChange): void {
    for (const row of change.ring ?? []) putPacked(this.ring.bytes, row);
    for (const [gpa, rows] of change.tables ?? []) {
      for (const row of rows) putPacked(this.tables.bytes, row, gpa - GOLDEN_TABLES.gpa);
    }
    if (change.driver) putEvent(this.driver.bytes, change.driver);
    if (change.device) putEvent(this.device.bytes, change.device);
  }
}

function putPacked(bytes: DataView, [slot, addr, len, id, flags]: PackedRow, from = 0): void {
  const at = from + 16 * slot;
  put64(bytes, at, addr);
  bytes.setUint32(at + 8, len, true);
  bytes.setUint16(at + 12, id, true);
  bytes.setUint16(at + 14, flags, true);
}

function putEvent(bytes: DataView, [offWrap, flags]: readonly [number, number]): void {
  bytes.setUint16(0, offWrap, true);
  bytes.setUint16(2, flags, true);
}

/** Bytes as hex, one line a row, each led by its offset: what a failing comparison prints. */
export function hexRows(bytes: Uint8Array, rowBytes: number): string[] {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += rowBytes) {
    const row = [...bytes.subarray(at, at + rowBytes)].map((b) => b.toString(16).padStart(2, "0")).join(" ");
    rows.push(`+${at.toString(16).padStart(3, "0")}: ${row}`);
  }
  return rows;
}
