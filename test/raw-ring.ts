/**
 * Little-endian pokes into guest memory, for tests that play the other side by hand: no rule of a ring lives here,
 * so that whatever a test writes is exactly what its author wrote. Offsets are those of §2.7.5, §2.7.6, §2.7.8, §2.8.13, §2.8.14.
 */

/** Guest-physical places of one queue's three areas. */
export interface Areas {
  readonly descriptor: number;
  readonly driver: number;
  readonly device: number;
}

/** One descriptor as a test writes it; a field left out is 0. */
export interface RawDescriptor {
  readonly addr?: number | bigint;
  readonly len?: number;
  readonly flags?: number;
  readonly next?: number;
  readonly id?: number;
}

/** Guest memory by guest-physical address; `source` gives the bytes anew at every access (memory may have grown). */
export class RawMemory {
  readonly source: () => Uint8Array;

  constructor(source: () => Uint8Array) {
    this.source = source;
  }

  private view(): DataView {
    const bytes = this.source();
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  u8 = (gpa: number): number => this.view().getUint8(gpa);
  u16 = (gpa: number): number => this.view().getUint16(gpa, true);
  u32 = (gpa: number): number => this.view().getUint32(gpa, true);
  setU8 = (gpa: number, value: number): void => this.view().setUint8(gpa, value);
  setU16 = (gpa: number, value: number): void => this.view().setUint16(gpa, value, true);
  setU32 = (gpa: number, value: number): void => this.view().setUint32(gpa, value, true);
  setU64 = (gpa: number, value: number | bigint): void =>
    this.view().setBigUint64(gpa, BigInt.asUintN(64, BigInt(value)), true);
  /** A copy of `length` bytes from `gpa` on. */
  copy = (gpa: number, length: number): Uint8Array => this.source().slice(gpa, gpa + length);
  fill = (gpa: number, length: number, value: number): void => {
    this.source().fill(value, gpa, gpa + length);
  };
  write = (gpa: number, bytes: Uint8Array): void => this.source().set(bytes, gpa);
}

/** A split ring as bytes (§2.7). Slots and indices are taken as given, in range or not. */
export class RawSplit {
  readonly memory: RawMemory;
  readonly size: number;
  readonly areas: Areas;

  constructor(memory: RawMemory, size: number, areas: Areas) {
    this.memory = memory;
    this.size = size;
    this.areas = areas;
  }

  /** Writes descriptor `slot` of the table, or of the indirect table at `table`. */
  desc(slot: number, d: RawDescriptor, table = this.areas.descriptor): void {
    const at = table + 16 * slot;
    this.memory.setU64(at, d.addr ?? 0);
    this.memory.setU32(at + 8, d.len ?? 0);
    this.memory.setU16(at + 12, d.flags ?? 0);
    this.memory.setU16(at + 14, d.next ?? 0);
  }
  readDesc(slot: number, table = this.areas.descriptor) {
    const at = table + 16 * slot;
    const { u16, u32 } = this.memory;
    return {
      addr: u32(at) + u32(at + 4) * 2 ** 32,
      len: u32(at + 8),
      flags: u16(at + 12),
      next: u16(at + 14),
    };
  }

  get availFlags(): number {
    return this.memory.u16(this.areas.driver);
  }
  set availFlags(value: number) {
    this.memory.setU16(this.areas.driver, value);
  }
  get availIdx(): number {
    return this.memory.u16(this.areas.driver + 2);
  }
  set availIdx(value: number) {
    this.memory.setU16(this.areas.driver + 2, value);
  }
  availRing = (slot: number): number => this.memory.u16(this.areas.driver + 4 + 2 * slot);
  setAvailRing = (slot: number, head: number): void =>
    this.memory.setU16(this.areas.driver + 4 + 2 * slot, head);
  get usedEvent(): number {
    return this.memory.u16(this.areas.driver + 4 + 2 * this.size);
  }
  set usedEvent(value: number) {
    this.memory.setU16(this.areas.driver + 4 + 2 * this.size, value);
  }

  get usedFlags(): number {
    return this.memory.u16(this.areas.device);
  }
  set usedFlags(value: number) {
    this.memory.setU16(this.areas.device, value);
  }
  get usedIdx(): number {
    return this.memory.u16(this.areas.device + 2);
  }
  set usedIdx(value: number) {
    this.memory.setU16(this.areas.device + 2, value);
  }
  /** The used element of a slot as [id, len]. */
  usedRing(slot: number): [id: number, len: number] {
    const at = this.areas.device + 4 + 8 * slot;
    return [this.memory.u32(at), this.memory.u32(at + 4)];
  }
  setUsedRing(slot: number, id: number, len: number): void {
    const at = this.areas.device + 4 + 8 * slot;
    this.memory.setU32(at, id);
    this.memory.setU32(at + 4, len);
  }
  get availEvent(): number {
    return this.memory.u16(this.areas.device + 4 + 8 * this.size);
  }
  set availEvent(value: number) {
    this.memory.setU16(this.areas.device + 4 + 8 * this.size, value);
  }
}

/** A packed ring as bytes (§2.8). */
export class RawPacked {
  readonly memory: RawMemory;
  readonly size: number;
  readonly areas: Areas;

  constructor(memory: RawMemory, size: number, areas: Areas) {
    this.memory = memory;
    this.size = size;
    this.areas = areas;
  }

  /** Writes slot `slot` of the ring, or entry `slot` of the indirect table at `table`. */
  desc(slot: number, d: RawDescriptor, table = this.areas.descriptor): void {
    const at = table + 16 * slot;
    this.memory.setU64(at, d.addr ?? 0);
    this.memory.setU32(at + 8, d.len ?? 0);
    this.memory.setU16(at + 12, d.id ?? 0);
    this.memory.setU16(at + 14, d.flags ?? 0);
  }
  readDesc(slot: number, table = this.areas.descriptor) {
    const at = table + 16 * slot;
    const { u16, u32 } = this.memory;
    return { addr: u32(at) + u32(at + 4) * 2 ** 32, len: u32(at + 8), id: u16(at + 12), flags: u16(at + 14) };
  }
  /** Writes the used form of a slot: id, len and flags; the address stays (§2.8.4). */
  used(slot: number, d: { id: number; len?: number; flags: number }): void {
    const at = this.areas.descriptor + 16 * slot;
    this.memory.setU32(at + 8, d.len ?? 0);
    this.memory.setU16(at + 12, d.id);
    this.memory.setU16(at + 14, d.flags);
  }
  flags = (slot: number): number => this.memory.u16(this.areas.descriptor + 16 * slot + 14);
  setFlags = (slot: number, value: number): void =>
    this.memory.setU16(this.areas.descriptor + 16 * slot + 14, value);

  /** The event structure that the driver writes: [off_wrap, flags]. */
  get driverEvent(): [offWrap: number, flags: number] {
    return [this.memory.u16(this.areas.driver), this.memory.u16(this.areas.driver + 2)];
  }
  set driverEvent([offWrap, flags]: [number, number]) {
    this.memory.setU16(this.areas.driver, offWrap);
    this.memory.setU16(this.areas.driver + 2, flags);
  }
  /** The event structure that the device writes. */
  get deviceEvent(): [offWrap: number, flags: number] {
    return [this.memory.u16(this.areas.device), this.memory.u16(this.areas.device + 2)];
  }
  set deviceEvent([offWrap, flags]: [number, number]) {
    this.memory.setU16(this.areas.device, offWrap);
    this.memory.setU16(this.areas.device + 2, flags);
  }
}
